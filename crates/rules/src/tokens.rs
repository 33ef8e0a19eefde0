//! Looks into a rule's text by its tokens, where comments, literals and longer names must not count.

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
    fn a_word_counts_where_it_is_a_name() {
        assert_eq!(word("SELECT ${limit} AS x,\n  event ->> 'a' FROM events", "event"), Some((2, 3)));
        assert_eq!(word("SELECT ${event} AS x, Event ->> 'a'", "event"), Some((1, 23)));
        for body in ["SELECT event_time FROM events", "SELECT 'event' AS x -- event", "SELECT \"event\" AS x"] {
            assert_eq!(word(body, "event"), None, "{body}");
        }
    }
}
