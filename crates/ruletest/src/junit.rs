//! The result as JUnit's XML, which CI systems read.

use std::{fmt::Write as _, time::Duration};

use super::Outcome;

/// The document: one suite, a case a case.
pub(super) fn document(outcomes: &[Outcome], took: Duration) -> String {
    let failures = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    let _ = writeln!(
        xml,
        "<testsuite name=\"weir test\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{:.3}\">",
        outcomes.len(),
        took.as_secs_f64()
    );
    for outcome in outcomes {
        let _ = write!(
            xml,
            "<testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
            escaped(&outcome.rule),
            escaped(&outcome.case),
            outcome.took.as_secs_f64()
        );
        match &outcome.result {
            Ok(_) => xml.push_str("/>\n"),
            Err(fault) => {
                let first = fault.lines().next().unwrap_or_default();
                let _ =
                    writeln!(xml, "><failure message=\"{}\">{}</failure></testcase>", escaped(first), escaped(fault));
            }
        }
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            // XML 1.0 has no way to write them.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
