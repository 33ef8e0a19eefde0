//! What comments before a statement say to the embedded engine, and to Arroyo nothing: `-- rule NAME`, and settings as
//! `-- weir: NAME = VALUE`.

use std::time::Duration;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use super::place_of;
use crate::error::PlanError;
use crate::program::FutureLimit;

/// The notes of one statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// `-- rule NAME …`: what the statement is called in counts.
    pub(crate) rule: Option<String>,
    /// `-- weir: count = COLUMN` before a view: its rows are counted by the text in this column.
    pub(crate) count: Option<String>,
    /// `-- weir: future_limit = 60 seconds` or `none` before a table: how far a row's time may lie beyond its arrival.
    pub(crate) future_limit: Option<FutureLimit>,
}

/// Reads the comments among tokens; of several that say the same, the last one counts.
pub(super) fn read<'a>(tokens: impl Iterator<Item = &'a TokenWithSpan>) -> Result<Notes, PlanError> {
    let mut notes = Notes::default();
    for token in tokens {
        let Token::Whitespace(Whitespace::SingleLineComment { comment, .. }) = &token.token else { continue };
        let comment = comment.trim();
        if let Some(name) = rule_name(comment) {
            notes.rule = Some(name);
        }
        let Some(setting) = comment.strip_prefix("weir: ") else { continue };
        let fault = || {
            PlanError::refused(format!("`-- {comment}` is no setting"))
                .at(place_of(token))
                .hint("known are `-- weir: count = COLUMN` and `-- weir: future_limit = 60 seconds` (or `none`)")
        };
        match setting.split_once('=').map(|(name, value)| (name.trim(), value.trim())).ok_or_else(fault)? {
            ("count", column) if is_name(column) => notes.count = Some(column.to_owned()),
            ("future_limit", value) => notes.future_limit = Some(future_limit(value).ok_or_else(fault)?),
            _ => return Err(fault()),
        }
    }
    Ok(notes)
}

/// The name in a comment `rule NAME …`, as the compiler of rules writes it.
fn rule_name(comment: &str) -> Option<String> {
    let name = comment.strip_prefix("rule ")?.split_whitespace().next()?;
    is_name(name).then(|| name.to_owned())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn future_limit(text: &str) -> Option<FutureLimit> {
    if text == "none" {
        return Some(FutureLimit::None);
    }
    let (count, unit) = text.split_once(' ')?;
    let unit = match unit.trim_end_matches('s') {
        "millisecond" => 1,
        "second" => 1_000,
        "minute" => 60_000,
        "hour" => 3_600_000,
        "day" => 86_400_000,
        "week" => 604_800_000,
        _ => return None,
    };
    Some(FutureLimit::Of(Duration::from_millis(count.parse::<u64>().ok()?.checked_mul(unit)?)))
}

#[cfg(test)]
mod tests {
    use super::super::tokenize_all;
    use super::*;

    fn notes(text: &str) -> Result<Notes, PlanError> {
        read(tokenize_all(text).unwrap().iter())
    }

    #[test]
    fn comments_are_read_and_others_passed_over() {
        let text =
            "-- rule of thumb\n-- weir: count = kind\n-- weir has more to say\n-- weir: future_limit = 90 seconds\n";
        let limit = Some(FutureLimit::Of(Duration::from_secs(90)));
        assert_eq!(
            notes(text).unwrap(),
            Notes { rule: Some("of".into()), count: Some("kind".into()), future_limit: limit }
        );
        assert_eq!(notes("-- weir: future_limit = none\n").unwrap().future_limit, Some(FutureLimit::None));
        assert_eq!(notes("-- Rule x\n/* rule y */").unwrap(), Notes::default());
    }

    #[test]
    fn a_setting_that_is_none_is_refused_at_its_place() {
        for wrong in
            ["speed = 3", "future_limit = soon", "future_limit = 5 years", "future_limit", "count = a b", "count ="]
        {
            let error = notes(&format!("\n-- weir: {wrong}\n")).unwrap_err();
            assert_eq!((error.line, error.column), (2, 1), "{wrong}: {error}");
        }
    }
}
