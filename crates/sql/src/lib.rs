//! Limits of SQL text that keep its readers from exhausting the stack: the engine's planner and the reader of rules hold to the same.
//!
//! A chain of operators becomes a tree as deep as the chain is long, and sqlparser and DataFusion walk, print and drop trees by
//! recursion. The parser counts how deep expressions and queries nest, but neither chains nor joins in brackets.

use sqlparser::{
    keywords::Keyword,
    tokenizer::{Location, Token, TokenWithSpan},
};

/// Operators in one chain: planned on a large stack, evaluated on a thread's usual one (2 MiB).
pub const MAX_CHAIN: usize = 400;
/// Joins and set operators of a statement.
pub const MAX_INPUTS: usize = 200;
/// Brackets and `CASE`s within each other. The parser itself takes no expression that is half as deep.
pub const MAX_DEPTH: usize = 100;

/// A statement that would nest too deeply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooDeep {
    /// What it has too much of.
    pub message: String,
    /// Where that is.
    pub place: Location,
}

impl TooDeep {
    /// What to do about it.
    pub const HINT: &str = "give parts of it to views; a list of values can use IN (…)";
}

/// Refuses statements that would nest too deeply, before anything parses them. Statements are told apart by `;`.
///
/// # Errors
/// Names the first token that is too much.
pub fn check(tokens: &[TokenWithSpan]) -> Result<(), TooDeep> {
    let mut levels = Levels::default();
    let mut last = None;
    for token in tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))) {
        let keyword = keyword(&token.token);
        levels.take(&token.token, keyword, last).map_err(|message| TooDeep { message, place: token.span.start })?;
        last = keyword;
    }
    Ok(())
}

/// What has been read of a statement.
struct Levels {
    /// Operators so far, by level of brackets and `CASE`s.
    levels: Vec<Level>,
    inputs: usize,
}

#[derive(Default)]
struct Level {
    chain: usize,
    /// Whether `END` closes it, not a bracket.
    case: bool,
}

impl Default for Levels {
    fn default() -> Self {
        Self { levels: vec![Level::default()], inputs: 0 }
    }
}

impl Levels {
    fn take(&mut self, token: &Token, keyword: Option<Keyword>, last: Option<Keyword>) -> Result<(), String> {
        // `INTERVAL INTERVAL …` is one prefix in the other, which the parser does not count.
        let nests = keyword == Some(Keyword::INTERVAL) && last == keyword;
        // A list of values is none of an operator's links.
        let lists = *token == Token::LBracket && last == Some(Keyword::ARRAY);
        if nests || (is_operator(token, keyword) && !lists) {
            self.count()?;
        }
        match (token, keyword) {
            (Token::SemiColon, _) => *self = Self::default(),
            (Token::LParen | Token::LBracket | Token::LBrace, _) => self.open(false)?,
            (Token::RParen | Token::RBracket | Token::RBrace, _) => {
                while self.close(true) {}
                self.close(false);
            }
            (_, Some(Keyword::CASE)) => self.open(true)?,
            (_, Some(Keyword::END)) => drop(self.close(true)),
            (Token::Comma, _) => self.restart(),
            (_, Some(word)) if is_input(word) => {
                self.inputs += 1;
                self.restart();
                if self.inputs > MAX_INPUTS {
                    return Err(format!("a statement may join and unite {MAX_INPUTS} inputs"));
                }
            }
            (_, Some(word)) if is_clause(word) => self.restart(),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), String> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        level.chain += 1;
        if level.chain > MAX_CHAIN { Err(format!("an expression may chain {MAX_CHAIN} operators")) } else { Ok(()) }
    }

    fn restart(&mut self) {
        self.levels.last_mut().into_iter().for_each(|level| level.chain = 0);
    }

    fn open(&mut self, case: bool) -> Result<(), String> {
        self.levels.push(Level { chain: 0, case });
        // The first is the statement's own.
        if self.levels.len() > MAX_DEPTH + 1 { Err(format!("brackets may nest {MAX_DEPTH} deep")) } else { Ok(()) }
    }

    /// Closes the innermost level where it is of that kind.
    fn close(&mut self, case: bool) -> bool {
        let closes = self.levels.len() > 1 && self.levels.last().is_some_and(|level| level.case == case);
        if closes {
            self.levels.pop();
        }
        closes
    }
}

/// A name in quotes is no keyword.
fn keyword(token: &Token) -> Option<Keyword> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

fn is_input(keyword: Keyword) -> bool {
    matches!(keyword, Keyword::JOIN | Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT)
}

fn is_clause(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::ON
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE
            | Keyword::WITH
    )
}

fn is_operator(token: &Token, keyword: Option<Keyword>) -> bool {
    match token {
        Token::Word(_) => keyword.is_some_and(|keyword| {
            matches!(
                keyword,
                Keyword::AND
                    | Keyword::OR
                    | Keyword::XOR
                    | Keyword::IS
                    | Keyword::IN
                    | Keyword::LIKE
                    | Keyword::ILIKE
                    | Keyword::RLIKE
                    | Keyword::REGEXP
                    | Keyword::SIMILAR
                    | Keyword::BETWEEN
                    | Keyword::AT
                    | Keyword::COLLATE
                    | Keyword::OPERATOR
                    | Keyword::OVERLAPS
            )
        }),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::Comma
        | Token::SemiColon
        | Token::LParen
        | Token::RParen
        | Token::RBracket
        | Token::LBrace
        | Token::RBrace
        | Token::EOF => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::{dialect::PostgreSqlDialect, tokenizer::Tokenizer};

    use super::*;

    fn checked(sql: &str) -> Result<(), String> {
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().unwrap();
        check(&tokens).map_err(|fault| format!("{}:{} {}", fault.place.line, fault.place.column, fault.message))
    }

    fn chain(count: usize, link: &str) -> String {
        format!("SELECT a{} FROM t", link.repeat(count))
    }

    #[test]
    fn a_chain_ends_where_its_expression_does() {
        checked(&chain(MAX_CHAIN, " + a")).unwrap();
        assert_eq!(checked(&chain(MAX_CHAIN + 1, " + a")).unwrap_err(), "1:1610 an expression may chain 400 operators");
        for link in [" || a", " OR a", "::int", " AT TIME ZONE 'UTC'", " OPERATOR(+) a", "[1]", " RLIKE 'x'"] {
            assert!(checked(&chain(MAX_CHAIN + 1, link)).is_err(), "{link}");
        }
        for link in [" + CASE WHEN a THEN 1 ELSE 2 END", " || ARRAY[1, 2]", " + f(a, b)", " + (SELECT 1 FROM u)"] {
            checked(&chain(MAX_CHAIN, link)).unwrap();
            assert!(checked(&chain(MAX_CHAIN + 1, link)).is_err(), "{link}");
        }
        for free in [", a + a", " FROM t; SELECT a + a", "", ", CASE a WHEN 1 THEN 2 END", ", a.\"case\" + a.end"] {
            checked(&chain(10 * MAX_CHAIN, free)).unwrap();
        }
    }

    #[test]
    fn depth_and_inputs_have_limits() {
        let nested = |count: usize, open: &str, close: &str| {
            checked(&format!("SELECT {}a{} FROM t", open.repeat(count), close.repeat(count)))
        };
        for (open, close) in [("(", ")"), ("[", "]"), ("CASE WHEN ", " THEN 1 END"), ("f(", ")")] {
            nested(MAX_DEPTH, open, close).unwrap();
            assert!(nested(MAX_DEPTH + 1, open, close).is_err(), "{open}");
        }
        let joined = |count: usize| checked(&format!("SELECT a FROM t{}", " JOIN u ON a = b".repeat(count)));
        joined(MAX_INPUTS).unwrap();
        assert!(joined(MAX_INPUTS + 1).is_err());
        // What is left open or closed too often is for the parser to refuse.
        checked("SELECT END) ] END CASE (").unwrap();
    }
}
