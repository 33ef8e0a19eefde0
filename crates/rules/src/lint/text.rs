//! A rule's body, filled and parsed, and the way back to where it was written.

use sqlparser::{
    ast::{Query, Spanned, Statement},
    tokenizer::Location,
};

use crate::{Environment, Rule, compile::parameter_values, sql, template::Output};

/// A parsed body.
pub(super) struct Body<'a> {
    pub(super) rule: &'a Rule,
    pub(super) query: Box<Query>,
    filled: Output,
}

impl<'a> Body<'a> {
    /// Parses the body with the environment's parameters; nothing when it does not parse.
    pub(super) fn read(rule: &'a Rule, environment: &Environment) -> Option<Self> {
        let mut filled = Output::default();
        filled.written(&rule.file, rule.body_line, &rule.body, &parameter_values(rule, environment).ok()?).ok()?;
        let mut statements = sql::parse(&filled.text).ok()?;
        match statements.pop() {
            Some(Statement::Query(query)) => Some(Self { rule, query, filled }),
            _ => None,
        }
    }

    /// Its text, with the parameters filled.
    pub(super) fn text(&self) -> &str {
        &self.filled.text
    }

    /// Where a part of it begins in the file.
    pub(super) fn place(&self, part: &impl Spanned) -> (usize, usize) {
        self.place_of(part.span().start)
    }

    /// Where a place of it is in the file.
    pub(super) fn place_of(&self, start: Location) -> (usize, usize) {
        let number = |n: u64| usize::try_from(n).unwrap_or(0);
        self.filled
            .map
            .origin(number(start.line), number(start.column))
            .map_or((self.rule.body_line, 1), |origin| (origin.line, origin.column))
    }
}
