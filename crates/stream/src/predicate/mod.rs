//! `ignore`: a condition over a stream's fields, for records that are neither events nor poison.
//!
//! The language is a part of SQL, and [`Predicate::to_sql`] writes it as SQL: columns, numbers, texts in single quotes,
//! `TRUE`, `FALSE`, `NULL`, the comparisons `=` `<>` `!=` `<` `<=` `>` `>=`, `[NOT] IN (…)`, `[NOT] LIKE` (with `%` and `_`),
//! `[NOT] BETWEEN`, `IS [NOT] NULL`, `AND`, `OR`, `NOT` and parentheses, with SQL's three values. A field that is absent or
//! not of its type is NULL here: a record can be ignored that would be poison. Times are compared with texts in RFC 3339.

mod evaluate;
mod parse;
mod sql;

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

    /// The condition as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it names the column of this index.
    #[must_use]
    pub fn names(&self, column: usize) -> bool {
        self.root.any(&|expression| *expression == Expression::Column(column))
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

impl Expression {
    /// Whether something holds for it, or for what is in it.
    fn any(&self, holds: &impl Fn(&Self) -> bool) -> bool {
        let inside = match self {
            Self::Compare(left, _, right) | Self::And(left, right) | Self::Or(left, right) => {
                left.any(holds) || right.any(holds)
            }
            Self::In(left, list) => left.any(holds) || list.iter().any(|item| item.any(holds)),
            Self::Like(inner, _) | Self::IsNull(inner) | Self::Not(inner) => inner.any(holds),
            _ => false,
        };
        inside || holds(self)
    }
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
