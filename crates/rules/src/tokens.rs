//! Looks into a rule's text by its tokens, where comments, literals and longer names must not count.

use std::collections::BTreeSet;

use sqlparser::{
    dialect::PostgreSqlDialect,
    tokenizer::{Token, Tokenizer},
};

/// Where a word stands as a name of its own (not behind a `.` or in quotes), as line and column from 1. `${name}`s may still be there.
pub(crate) fn word(body: &str, wanted: &str) -> Option<(usize, usize)> {
    // A parameter is no SQL yet: blanks of the same length keep the places.
    let blanked = blank_parameters(body);
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, &blanked).tokenize_with_location().ok()?;
    tokens.iter().find_map(|token| match &token.token {
        Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted) => {
            let at = token.span.start;
            Some((usize::try_from(at.line).ok()?, usize::try_from(at.column).ok()?))
        }
        _ => None,
    })
}

/// The parameters that stand in quotes: where, as line and column from 1, and their names.
pub(crate) fn quoted_parameters(body: &str) -> Vec<(usize, usize, String)> {
    if !body.contains("${") {
        return Vec::new();
    }
    let blanked = blank_parameters(body);
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, &blanked).tokenize_with_location().unwrap_or_default();
    let mut found = Vec::new();
    let mut lines = body.lines();
    // The line that was looked at last: tokens come in the order of the text, and each line is taken apart once.
    let (mut current, mut letters) = (0, Vec::new());
    for token in tokens.iter().filter(|token| matches!(token.token, Token::SingleQuotedString(_))) {
        let (start, end) = (token.span.start, token.span.end);
        let number = |n: u64| usize::try_from(n).unwrap_or(0);
        let (line, column) = (number(start.line), number(start.column));
        while current < line {
            let Some(next) = lines.next() else { return found };
            (current, letters) = (current + 1, next.chars().collect::<Vec<char>>());
        }
        let first = column.saturating_sub(1).min(letters.len());
        let last = if end.line == start.line { number(end.column).saturating_sub(1) } else { letters.len() };
        let quoted: String = letters.get(first..last.clamp(first, letters.len())).unwrap_or_default().iter().collect();
        let names = quoted.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
        found.extend(names.map(|(name, _)| (line, column, name.to_owned())));
    }
    found
}

/// A body without the semicolons at its end; comments may follow them.
pub(crate) fn without_final_semicolon(body: &str) -> String {
    let blanked = blank_parameters(body);
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, &blanked).tokenize_with_location().unwrap_or_default();
    let last = tokens.iter().rev().take_while(|t| matches!(t.token, Token::Whitespace(_) | Token::SemiColon));
    let semicolons = last.filter(|t| t.token == Token::SemiColon);
    let places: BTreeSet<(u64, u64)> = semicolons.map(|t| (t.span.start.line, t.span.start.column)).collect();
    let line = |(number, text): (u64, &str)| -> String {
        let keep = |(column, c): (u64, char)| if places.contains(&(number, column)) { ' ' } else { c };
        (1..).zip(text.chars()).map(keep).collect()
    };
    (1..).zip(body.lines()).map(line).collect::<Vec<_>>().join("\n")
}

fn blank_parameters(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("${") {
        text.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            rest = after;
            continue;
        };
        text.push('0');
        text.extend(std::iter::repeat_n(' ', name.chars().count() + 2));
        rest = tail;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_at_the_end_go_and_others_stay() {
        for (written, left) in [
            ("SELECT 1;", "SELECT 1 "),
            ("SELECT ${a};; -- done; or not\n/* ; */", "SELECT ${a}   -- done; or not\n/* ; */"),
            ("SELECT ';' -- ;", "SELECT ';' -- ;"),
            ("SELECT 1; SELECT 2;", "SELECT 1; SELECT 2 "),
        ] {
            assert_eq!(without_final_semicolon(written), left);
        }
    }

    #[test]
    fn parameters_in_quotes_are_found() {
        let body = "SELECT ${a}\nWHERE metric = '${metric}' AND x = 'é ${b} ${c}' -- '${d}'";
        let found: Vec<_> = quoted_parameters(body).into_iter().map(|(l, c, n)| format!("{l}:{c} {n}")).collect();
        assert_eq!(found, ["2:16 metric", "2:36 b", "2:36 c"]);
    }

    #[test]
    fn a_word_counts_where_it_is_a_name() {
        assert_eq!(word("SELECT ${limit} AS x,\n  event ->> 'a' FROM events", "event"), Some((2, 3)));
        assert_eq!(word("SELECT ${event} AS x, Event ->> 'a'", "event"), Some((1, 23)));
        for body in ["SELECT event_time FROM events", "SELECT 'event' AS x -- event", "SELECT \"event\" AS x"] {
            assert_eq!(word(body, "event"), None, "{body}");
        }
    }
}
