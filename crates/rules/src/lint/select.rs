//! Functions that give something else each time they are asked.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, visit_expressions};

use super::{Finding, Level, text::Body};

pub(super) const NON_DETERMINISTIC: &str = "non-deterministic";

/// Functions of the clock or of chance.
const CHANGING: [&str; 13] = [
    "current_date",
    "current_time",
    "current_timestamp",
    "gen_random_uuid",
    "localtime",
    "localtimestamp",
    "now",
    "rand",
    "random",
    "statement_timestamp",
    "today",
    "transaction_timestamp",
    "uuid",
];

pub(super) fn lint(body: &Body<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let _: ControlFlow<()> = visit_expressions(&body.query, |expr| {
        if let Expr::Function(function) = expr
            && CHANGING.contains(&name(function).as_str())
        {
            let message = format!("`{}` gives something else each time", name(function));
            findings.push(Finding::new(NON_DETERMINISTIC, Level::Error, body.rule, body.place(expr), message).hint(
                "a replay would find other anomalies under other ids: use event_time, or window.end of a windowed rule",
            ));
        }
        ControlFlow::Continue(())
    });
    findings
}

/// A function's name as SQL folds it.
pub(super) fn name(function: &Function) -> String {
    function.name.to_string().to_lowercase()
}
