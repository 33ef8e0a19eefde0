//! Formats that are not JSON: named patterns, logfmt, CSV and TSV, and lines of text that nobody knows.

use super::{
    draft::{Draft, quoted},
    envelope::most,
    stats::{Leaf, Stats},
};
use crate::{
    declaration::Scope,
    format::{Columns, Csv, Dissect, NAMED_PATTERNS, pairs},
    path::{Path, Step},
};

/// The leaves of texts that are no JSON; `None`: they are.
pub(super) fn recognise(units: &[String], draft: &mut Draft) -> Option<Vec<Leaf>> {
    let json = units.iter().filter(|text| {
        text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde_json::Value>(text).is_ok()
    });
    if most(json.count(), units.len()) {
        return None;
    }
    Some(
        named(units, draft)
            .or_else(|| logfmt(units, draft))
            .or_else(|| separated(units, draft))
            .unwrap_or_else(|| unknown(units, draft)),
    )
}

fn named(units: &[String], draft: &mut Draft) -> Option<Vec<Leaf>> {
    // A shorter pattern's last part would swallow what a longer one tells apart.
    let mut patterns = NAMED_PATTERNS;
    patterns.sort_by_key(|(name, _)| *name == "apache_common");
    patterns.iter().find_map(|(name, pattern)| {
        let pattern = Dissect::parse(pattern).ok()?;
        let split: Vec<Vec<&str>> = units.iter().filter_map(|text| split(&pattern, text)).collect();
        // Patterns of blanks alone fit many texts: their numbers must be numbers.
        let status = pattern.names().position(|name| name == "status" || name == "version")?;
        let fits = |parts: &Vec<&str>| {
            parts.get(status).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()) || *name == "vpc_flow_logs")
        };
        let flow = |parts: &Vec<&str>| *name != "vpc_flow_logs" || parts.first().is_some_and(|version| *version == "2");
        if !most(split.iter().filter(|parts| fits(parts) && flow(parts)).count(), units.len()) {
            return None;
        }
        draft.format = vec!["format = \"text\"".to_owned(), format!("pattern = \"{name}\"")];
        draft.null = split.iter().flatten().any(|part| *part == "-");
        Some(leaves(pattern.names().map(Path::member).collect(), &split))
    })
}

fn split<'a>(pattern: &Dissect, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = Vec::new();
    pattern.split(text, |_, span| parts.push(span.text(text, "")))?;
    Some(parts)
}

fn logfmt(units: &[String], draft: &mut Draft) -> Option<Vec<Leaf>> {
    let mut leaves: Vec<Leaf> = Vec::new();
    let mut fits = 0;
    for text in units {
        let (mut scratch, mut found) = (String::new(), Vec::new());
        let read = pairs(text, &mut scratch, |key, span, scratch| {
            found.push((key.to_owned(), span.text(text, scratch).to_owned()))
        });
        let written = text.matches('=').count();
        if read.is_err() || written == 0 || written * 2 < found.len() {
            continue;
        }
        fits += 1;
        for (key, value) in found {
            let path = Path::member(&key);
            let at = leaves.iter().position(|leaf| leaf.path == path).unwrap_or_else(|| {
                leaves.push(Leaf { path, of: Scope::Row, stats: Stats::default(), of_rows: units.len() });
                leaves.len() - 1
            });
            if let Some(leaf) = leaves.get_mut(at) {
                leaf.stats.see_part(&value);
            }
        }
    }
    if !most(fits, units.len()) {
        return None;
    }
    draft.format = vec!["format = \"logfmt\"".to_owned()];
    Some(leaves)
}

fn separated(units: &[String], draft: &mut Draft) -> Option<Vec<Leaf>> {
    [('\t', "tsv"), (',', "csv"), (';', "csv"), ('|', "csv")]
        .into_iter()
        .find_map(|(delimiter, name)| {
            let byte = u8::try_from(delimiter).ok()?;
            [Some(b'"'), None].into_iter().find_map(|quote| {
                let format = Csv { delimiter: byte, quote, columns: Columns { names: Vec::new(), more: true } };
                let rows: Vec<Vec<String>> = units.iter().filter_map(|text| columns(&format, text)).collect();
                let width = rows.iter().map(Vec::len).max()?;
                if width < 2 || !most(rows.iter().filter(|row| row.len() == width).count(), units.len()) {
                    return None;
                }
                Some((delimiter, name, quote, rows, width))
            })
        })
        .map(|(delimiter, name, quote, rows, width)| {
            draft.format = vec![format!("format = \"{name}\"")];
            if delimiter != ',' && name == "csv" {
                draft.format.push(format!("delimiter = {}", quoted(&delimiter.to_string())));
            }
            if quote.is_none() {
                draft.format.push("quote = \"\"".to_owned());
            }
            draft.format.push(format!("columns = {width}"));
            draft.unsure.push("what the columns are called: they have numbers".to_owned());
            let rows: Vec<Vec<&str>> = rows
                .iter()
                .filter(|row| row.len() == width)
                .map(|row| row.iter().map(String::as_str).collect())
                .collect();
            leaves((0..width).map(|index| Path { steps: vec![Step::Element(index)] }).collect(), &rows)
        })
}

fn columns(format: &Csv, text: &str) -> Option<Vec<String>> {
    let (mut scratch, mut spans) = (String::new(), Vec::new());
    format.split(text, &mut scratch, |_, span| spans.push(span)).ok()?;
    Some(spans.into_iter().map(|span| span.text(text, &scratch).to_owned()).collect())
}

/// Texts that nobody knows: one part, and the advice to take it apart.
fn unknown(units: &[String], draft: &mut Draft) -> Vec<Leaf> {
    draft.format = vec!["format = \"text\"".to_owned(), "pattern = \"{line}\"".to_owned()];
    draft.unsure.push("the pattern of the text: name its parts, as in \"{time} [{level}] {message}\"".to_owned());
    let rows: Vec<Vec<&str>> = units.iter().map(|text| vec![text.as_str()]).collect();
    leaves(vec![Path::member("line")], &rows)
}

fn leaves(paths: Vec<Path>, rows: &[Vec<&str>]) -> Vec<Leaf> {
    let leaf = |(index, path): (usize, Path)| {
        let mut stats = Stats::default();
        rows.iter().filter_map(|row| row.get(index)).for_each(|part| stats.see_part(part));
        Leaf { path, of: Scope::Row, stats, of_rows: rows.len() }
    };
    paths.into_iter().enumerate().map(leaf).collect()
}
