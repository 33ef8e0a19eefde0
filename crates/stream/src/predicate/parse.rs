//! The text of a condition, and the kinds of what it compares.

use super::{Comparison, Expression};
use crate::{declaration::FieldType, fault::did_you_mean, time::TimeReader};

/// How deep parentheses and `NOT` may nest.
const MAX_NESTING: usize = 50;

/// Why a text is no condition, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredicateError {
    /// Byte of the text.
    pub at: usize,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a value is, as far as comparing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Boolean,
    Time,
    Null,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Boolean => "a boolean",
            Self::Time => "a time",
            Self::Null => "NULL",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A name without quotes, or a keyword.
    Word(String),
    /// A name in double quotes.
    Name(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

pub(super) fn parse(text: &str, columns: &[(&str, FieldType)]) -> Result<Expression, PredicateError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens, at: 0, end: text.len(), columns, nesting: 0 };
    let root = parser.condition()?;
    match parser.tokens.get(parser.at) {
        None => Ok(root),
        Some((at, _)) => Err(error(*at, "expected AND, OR or the end")),
    }
}

fn error(at: usize, message: impl Into<String>) -> PredicateError {
    PredicateError { at, message: message.into(), hint: None }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, PredicateError> {
    const SIGNS: [&str; 12] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "-", "+"];
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let run = |fits: fn(char) -> bool| rest.chars().take_while(|c| fits(*c)).collect::<String>();
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if c == '\'' || c == '"' {
            let (value, length) = quoted(rest, c).ok_or_else(|| error(at, "the quote is not closed"))?;
            tokens.push((at, if c == '"' { Token::Name(value) } else { Token::Text(value) }));
            at += length;
        } else if c.is_ascii_digit() {
            let number = run(|c| c.is_ascii_alphanumeric() || c == '.');
            at += number.len();
            tokens.push((at - number.len(), Token::Number(number)));
        } else if c.is_alphabetic() || c == '_' {
            let word = run(|c| c.is_alphanumeric() || c == '_');
            at += word.len();
            tokens.push((at - word.len(), Token::Word(word)));
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push((at, Token::Sign(sign)));
            at += sign.len();
        } else {
            return Err(error(at, format!("`{c}` is not understood here")));
        }
    }
    Ok(tokens)
}

/// A text in quotes, a doubled quote inside being one, and how long all of it is.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let (mut value, mut chars) = (String::new(), rest.char_indices().skip(1).peekable());
    while let Some((at, c)) = chars.next() {
        if c != quote {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            value.push(c);
            chars.next();
        } else {
            return Some((value, at + 1));
        }
    }
    None
}

struct Parser<'a> {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    columns: &'a [(&'a str, FieldType)],
    nesting: usize,
}

type Parsed = Result<(Expression, Kind), PredicateError>;

impl Parser<'_> {
    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(at, _)| *at)
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some((_, Token::Word(next))) if next.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some((_, Token::Sign(next))) if *next == sign);
        self.at += usize::from(found);
        found
    }

    fn deeper(&mut self) -> Result<(), PredicateError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING { Err(error(self.place(), "the condition nests too deep")) } else { Ok(()) }
    }

    fn condition(&mut self) -> Result<Expression, PredicateError> {
        let at = self.place();
        let (root, kind) = self.or()?;
        match kind {
            Kind::Boolean | Kind::Null => Ok(root),
            _ => Err(error(at, format!("expected a condition, found {}", kind.name()))),
        }
    }

    fn or(&mut self) -> Parsed {
        let at = self.place();
        let mut left = self.and()?;
        while self.keyword("or") {
            let right = self.and()?;
            both_conditions(at, left.1, right.1)?;
            left = (Expression::Or(Box::new(left.0), Box::new(right.0)), Kind::Boolean);
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let at = self.place();
        let mut left = self.not()?;
        while self.keyword("and") {
            let right = self.not()?;
            both_conditions(at, left.1, right.1)?;
            left = (Expression::And(Box::new(left.0), Box::new(right.0)), Kind::Boolean);
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed {
        let at = self.place();
        if !self.keyword("not") {
            return self.comparison();
        }
        self.deeper()?;
        let (inner, kind) = self.not()?;
        self.nesting -= 1;
        both_conditions(at, kind, kind)?;
        Ok((Expression::Not(Box::new(inner)), Kind::Boolean))
    }

    fn comparison(&mut self) -> Parsed {
        let at = self.place();
        let left = self.operand()?;
        const SIGNS: [(&str, Comparison); 7] = [
            ("=", Comparison::Equal),
            ("<>", Comparison::NotEqual),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        for (sign, comparison) in SIGNS {
            if self.sign(sign) {
                let right = self.operand()?;
                return Ok((compare(at, left, comparison, right)?, Kind::Boolean));
            }
        }
        if self.keyword("is") {
            let negated = self.keyword("not");
            if !self.keyword("null") {
                return Err(error(self.place(), "expected NULL"));
            }
            return Ok((negate(Expression::IsNull(Box::new(left.0)), negated), Kind::Boolean));
        }
        let negated = self.keyword("not");
        if self.keyword("in") {
            if !self.sign("(") {
                return Err(error(self.place(), "expected a list in parentheses"));
            }
            let mut list = Vec::new();
            loop {
                let item = self.operand()?;
                list.push(same_kind(at, &left, item)?);
                if !self.sign(",") {
                    break;
                }
            }
            if !self.sign(")") {
                return Err(error(self.place(), "expected `)`"));
            }
            return Ok((negate(Expression::In(Box::new(left.0), list), negated), Kind::Boolean));
        }
        if self.keyword("like") {
            if !matches!(left.1, Kind::Text | Kind::Null) {
                return Err(error(at, format!("LIKE needs a text, this is {}", left.1.name())));
            }
            return match self.operand()? {
                (Expression::Text(pattern), _) => {
                    Ok((negate(Expression::Like(Box::new(left.0), pattern), negated), Kind::Boolean))
                }
                _ => Err(error(at, "LIKE needs a pattern in single quotes")),
            };
        }
        if self.keyword("between") {
            let low = self.operand()?;
            if !self.keyword("and") {
                return Err(error(self.place(), "expected AND"));
            }
            let high = self.operand()?;
            let above = compare(at, left.clone(), Comparison::GreaterOrEqual, low)?;
            let below = compare(at, left, Comparison::LessOrEqual, high)?;
            return Ok((negate(Expression::And(Box::new(above), Box::new(below)), negated), Kind::Boolean));
        }
        if negated {
            return Err(error(self.place(), "expected IN, LIKE or BETWEEN"));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Parsed {
        let at = self.place();
        if self.sign("(") {
            self.deeper()?;
            let inner = self.or()?;
            self.nesting -= 1;
            return if self.sign(")") { Ok(inner) } else { Err(error(self.place(), "expected `)`")) };
        }
        let negative = self.sign("-");
        let token = self.tokens.get(self.at).map(|(_, token)| token.clone());
        self.at += 1;
        match token {
            Some(Token::Number(digits)) => {
                let digits = if negative { format!("-{digits}") } else { digits };
                match (digits.parse::<i64>(), digits.parse::<f64>()) {
                    (Ok(value), _) => Ok((Expression::Integer(value), Kind::Number)),
                    (_, Ok(value)) if value.is_finite() => Ok((Expression::Number(value), Kind::Number)),
                    _ => Err(error(at, format!("`{digits}` is no number"))),
                }
            }
            _ if negative => Err(error(at, "expected a number after `-`")),
            Some(Token::Text(text)) => Ok((Expression::Text(text), Kind::Text)),
            Some(Token::Name(name)) => self.column(at, &name),
            Some(Token::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "true" => Ok((Expression::Boolean(true), Kind::Boolean)),
                "false" => Ok((Expression::Boolean(false), Kind::Boolean)),
                "null" => Ok((Expression::Null, Kind::Null)),
                // SQL folds names without quotes.
                folded => self.column(at, folded),
            },
            _ => Err(error(at, "expected a field or a value")),
        }
    }

    fn column(&self, at: usize, name: &str) -> Parsed {
        let Some(index) = self.columns.iter().position(|(known, _)| *known == name) else {
            let hint = Some(did_you_mean(name, self.columns.iter().map(|(known, _)| *known)));
            return Err(PredicateError { at, message: format!("there is no field `{name}`"), hint });
        };
        let kind = match self.columns.get(index).map(|(_, kind)| *kind) {
            Some(FieldType::Double | FieldType::Integer) => Kind::Number,
            Some(FieldType::Boolean) => Kind::Boolean,
            Some(FieldType::Timestamp) => Kind::Time,
            _ => Kind::Text,
        };
        Ok((Expression::Column(index), kind))
    }
}

fn negate(expression: Expression, negated: bool) -> Expression {
    if negated { Expression::Not(Box::new(expression)) } else { expression }
}

fn both_conditions(at: usize, left: Kind, right: Kind) -> Result<(), PredicateError> {
    match [left, right].into_iter().find(|kind| !matches!(kind, Kind::Boolean | Kind::Null)) {
        Some(kind) => Err(error(at, format!("expected a condition, found {}", kind.name()))),
        None => Ok(()),
    }
}

fn compare(
    at: usize,
    left: (Expression, Kind),
    comparison: Comparison,
    right: (Expression, Kind),
) -> Result<Expression, PredicateError> {
    let (left, right) = if left.1 == Kind::Text && right.1 == Kind::Time {
        (same_kind(at, &right, left)?, right.0)
    } else {
        let item = same_kind(at, &left, right)?;
        (left.0, item)
    };
    Ok(Expression::Compare(Box::new(left), comparison, Box::new(right)))
}

/// The right side, when it can be compared with the left; a text beside a time becomes a time.
fn same_kind(at: usize, left: &(Expression, Kind), right: (Expression, Kind)) -> Result<Expression, PredicateError> {
    match (left.1, right.1, right.0) {
        (Kind::Time, Kind::Text, Expression::Text(text)) => match TimeReader::default().read_text(&text) {
            Ok(nanos) => Ok(Expression::Time(nanos)),
            Err(_) => Err(error(at, format!("`{text}` is no time in RFC 3339"))),
        },
        (left, right, expression) if left == right || left == Kind::Null || right == Kind::Null => Ok(expression),
        (left, right, _) => Err(PredicateError {
            at,
            message: format!("{} is compared with {}", left.name(), right.name()),
            hint: Some("texts stand in single quotes, numbers in none".to_owned()),
        }),
    }
}
