//! Parses SQL that a person wrote, once it is known to be no deeper than a thread's stack.

use sqlparser::{
    ast::Statement,
    dialect::PostgreSqlDialect,
    parser::{Parser, ParserError},
    tokenizer::Tokenizer,
};
use weir_sql::TooDeep;

/// What is wrong with a text, and where in it: line and column from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlFault {
    pub(crate) message: String,
    pub(crate) hint: Option<&'static str>,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The statements of a text. Everything in this crate that parses a text does it here.
pub(crate) fn parse(sql: &str) -> Result<Vec<Statement>, SqlFault> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| SqlFault::from(ParserError::from(error)))?;
    weir_sql::check(&tokens)?;
    let mut parser = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(tokens);
    Ok(parser.parse_statements()?)
}

impl From<TooDeep> for SqlFault {
    fn from(fault: TooDeep) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(1);
        let (line, column) = (number(fault.place.line), number(fault.place.column));
        Self { message: fault.message, hint: Some(TooDeep::HINT), line, column }
    }
}

impl From<ParserError> for SqlFault {
    /// The parser says `… at Line: 3, Column: 5`.
    fn from(error: ParserError) -> Self {
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
            ParserError::RecursionLimitExceeded => "nested too deeply".to_owned(),
        };
        let Some((message, place)) = text.rsplit_once(" at Line: ") else {
            return Self { message: text, hint: None, line: 1, column: 1 };
        };
        let mut numbers = place.split(", Column: ").map(|n| n.trim().parse().unwrap_or(1));
        let (line, column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
        Self { message: message.to_owned(), hint: None, line, column }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{
        Environment, Pack, Rule, RuleError, compile,
        lint::{LintOptions, lint},
    };

    fn rule(body: &str) -> Result<Rule, RuleError> {
        let header = ["name = \"r\"", "severity = \"info\"", "description = \"d\"", "owner = \"o\"", "runbook = \"b\""];
        let header: String = header.iter().map(|line| format!("-- {line}\n")).collect();
        Rule::parse(Path::new("r.sql"), &format!("{header}\n{body}"))
    }

    fn select(value: &str) -> String {
        format!("SELECT series AS key, event_time, {value} AS value, value AS expected, 0.5 AS score FROM events")
    }

    #[test]
    fn no_text_is_too_deep_for_the_stack() {
        const MANY: usize = 50_000;
        let chains = [
            " + value",
            " OR value",
            " || value",
            "::int",
            " AT TIME ZONE 'UTC'",
            " IS NULL",
            " NOT IN (1)",
            "[1]",
            " -> 'a'",
            " + CASE WHEN value > 1 THEN 1 ELSE 2 END",
            " || ARRAY[1, 2]",
            " COLLATE a",
            " OPERATOR(+) a",
            " BETWEEN 1 AND 2",
            " + INTERVAL '1 day'",
            " NOTNULL",
            " RLIKE 'a'",
            " NOT LIKE 'a'",
            ".a",
        ];
        for chain in chains {
            let refused = rule(&select(&format!("value{}", chain.repeat(MANY)))).unwrap_err();
            assert!(refused.line >= 7 && refused.column > 0, "{chain}: {refused}");
        }
        let prefixes = [
            ("(", ")"),
            ("NOT ", ""),
            ("- ", ""),
            ("CASE WHEN ", " THEN 1 END"),
            ("CASE 1 WHEN 1 THEN 1 ELSE ", " END"),
            ("abs(", ")"),
            ("INTERVAL ", ""),
            ("ARRAY[", "]"),
            ("[", "]"),
            ("(SELECT ", ")"),
            ("EXISTS (SELECT ", ")"),
            ("CAST(", " AS int)"),
            ("CAST(NULL AS ARRAY<", "INT>)"),
            ("DATE ", ""),
            ("{", "}"),
            ("~ ", ""),
        ];
        for (open, close) in prefixes {
            assert!(rule(&select(&format!("{}1{}", open.repeat(MANY), close.repeat(MANY)))).is_err(), "{open}");
            // Left open: the same depth before anything is known to be wrong.
            assert!(rule(&select(&open.repeat(MANY))).is_err(), "{open} left open");
        }
        for tables in [
            format!("{}t{}", "(".repeat(MANY), ")".repeat(MANY)),
            format!("t{}", " JOIN u ON a = b".repeat(MANY)),
            format!("t{}", " UNION ALL SELECT 1 FROM t".repeat(MANY)),
            format!("{}t", "(SELECT a FROM ".repeat(MANY)),
        ] {
            assert!(rule(&select("value").replace("events", &tables)).is_err());
        }
    }

    #[test]
    fn definitions_that_double_each_other_fill_no_memory() {
        let mut body = String::from("-- @define d0\nvalue\n-- @end\n");
        for n in 1..64 {
            body.push_str(&format!("-- @define d{n}\n${{d{0}}}, ${{d{0}}}\n-- @end\n", n - 1));
        }
        let refused = rule(&format!("{body}{}", select("coalesce(${d63})"))).unwrap_err();
        assert!(refused.message.contains("longer than"), "{refused}");
    }

    #[test]
    fn what_is_at_the_limit_is_read_checked_and_compiled() {
        let longest = rule(&select(&format!("value{}", " + 1".repeat(weir_sql::MAX_CHAIN)))).unwrap();
        let environment = Environment::default();
        let (pack, _) = Pack::load_without_rules(Path::new("../../sql")).unwrap();
        let pack = Pack { rules: vec![longest], ..pack };
        let _ = lint(&pack, &environment, &LintOptions { root: Path::new("../.."), keys: 1 });
        compile(&pack, &environment).unwrap();
        let refused = rule(&select(&format!("value{}", " + 1".repeat(weir_sql::MAX_CHAIN + 1)))).unwrap_err();
        assert!(refused.to_string().ends_with("hint: give parts of it to views; a list of values can use IN (…)"));
    }
}
