//! `ignore`: a condition over a stream's fields, for records that are neither events nor poison.
//!
//! The language is a part of SQL, so that the same text can stand in a `WHERE`: columns, numbers, texts in single quotes,
//! `TRUE`, `FALSE`, `NULL`, the comparisons `=` `<>` `!=` `<` `<=` `>` `>=`, `[NOT] IN (…)`, `[NOT] LIKE` (with `%` and `_`),
//! `[NOT] BETWEEN`, `IS [NOT] NULL`, `AND`, `OR`, `NOT` and parentheses, with SQL's three values. A field that is absent or
//! not of its type is NULL here: a record can be ignored that would be poison. Times are compared with texts in RFC 3339.

mod evaluate;
mod parse;

pub use parse::PredicateError;

use crate::declaration::FieldType;

/// A parsed condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate {
    text: String,
    root: Expression,
}

impl Predicate {
    /// Reads a condition over columns of these names and types.
    ///
    /// # Errors
    /// When it is not of the language, names an unknown column, or compares values of different kinds.
    pub fn parse(text: &str, columns: &[(&str, FieldType)]) -> Result<Self, PredicateError> {
        Ok(Self { text: text.to_owned(), root: parse::parse(text, columns)? })
    }

    /// The condition as it was written: SQL.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Column(usize),
    Null,
    Boolean(bool),
    Number(f64),
    Integer(i64),
    Text(String),
    Time(i64),
    Compare(Box<Self>, Comparison, Box<Self>),
    Like(Box<Self>, String),
    In(Box<Self>, Vec<Self>),
    IsNull(Box<Self>),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[cfg(test)]
mod tests;
