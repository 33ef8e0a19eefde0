//! What may fail for a row: what the compiler turns into NULL, and what only its author can.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value, visit_expressions};
use sqlparser::tokenizer::Location;

use crate::guard::{Guarded, guards, time::is_guarded};

use super::{Finding, Level, select::name, text::Body};

pub(super) const NULL_ON_ERROR: &str = "null-on-error";
pub(super) const FAILS_ON_A_ROW: &str = "fails-on-a-row";
pub(super) const NULL_BELOW_ZERO: &str = "null-below-zero";

pub(super) fn lint(body: &Body<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for guard in guards(body.text()).0 {
        // Divisions have a lint of their own.
        let message = match guard.kind {
            Guarded::Cast(data_type) => {
                format!("this cast to {data_type} is compiled to TRY_CAST: what cannot be cast is NULL")
            }
            Guarded::Time(format) => format!("a text that is no time in the format `{format}` is NULL"),
            Guarded::Division(_) => continue,
        };
        let place = body.place_of(Location::new(guard.line as u64, guard.column as u64));
        findings.push(
            Finding::new(NULL_ON_ERROR, Level::Info, body.rule, place, message)
                .hint("a comparison with NULL does not hold; coalesce(…, value) says what else it is to be"),
        );
    }
    let _: ControlFlow<()> = visit_expressions(&body.query, |expr| {
        if let Expr::Function(function) = expr
            && !is_guarded(function)
            && let Some(hint) = fails(function)
        {
            let message = format!("`{}` fails where a record holds what it cannot read", name(function));
            let cost =
                "the embedded engine leaves such a row out of the rule and counts it in rule_errors, Arroyo's job ends";
            findings.push(
                Finding::new(FAILS_ON_A_ROW, Level::Warning, body.rule, body.place(expr), message)
                    .hint(format!("{hint}; {cost}")),
            );
        }
        if let Expr::Function(function) = expr
            && let Some(data_type) = reads_no_negative(&name(function))
        {
            let message = format!("`{}` is NULL for every number below zero, on both engines", name(function));
            let hint = format!("write TRY_CAST(event ->> 'field' AS {data_type})");
            findings
                .push(Finding::new(NULL_BELOW_ZERO, Level::Warning, body.rule, body.place(expr), message).hint(hint));
        }
        ControlFlow::Continue(())
    });
    findings
}

/// The type that a function of datafusion-functions-json 0.48 is meant to read, where it reads no minus sign.
fn reads_no_negative(function: &str) -> Option<&'static str> {
    match function {
        "json_get_float" => Some("DOUBLE"),
        "json_get_int" => Some("BIGINT"),
        _ => None,
    }
}

/// What to write instead of a call that may fail.
fn fails(function: &Function) -> Option<&'static str> {
    let arguments: Vec<&Expr> = match &function.args {
        FunctionArguments::List(list) => list.args.iter().filter_map(argument).collect(),
        _ => Vec::new(),
    };
    let is_data = |nth: usize| arguments.get(nth).is_some_and(|argument| !is_literal(argument));
    match name(function).as_str() {
        "to_timestamp"
        | "to_timestamp_micros"
        | "to_timestamp_millis"
        | "to_timestamp_nanos"
        | "to_timestamp_seconds"
            if arguments.len() > 1 && is_data(0) =>
        {
            Some(
                "put the parts together as 2026-01-31T23:59:59 (substr, split_part, regexp_match) and use TRY_CAST(… AS TIMESTAMP)",
            )
        }
        "to_timestamp" if is_data(0) && !is_cast(arguments.first()) => {
            Some("use TRY_CAST(… AS TIMESTAMP) for text, to_timestamp_seconds(TRY_CAST(… AS BIGINT)) for a number")
        }
        "to_timestamp_micros" | "to_timestamp_millis" | "to_timestamp_nanos" | "to_timestamp_seconds"
            if is_data(0) && !is_cast(arguments.first()) =>
        {
            Some("use TRY_CAST(… AS BIGINT) as its argument")
        }
        "to_date" if is_data(0) => Some("use TRY_CAST(… AS DATE)"),
        "arrow_cast" if is_data(0) => Some("use TRY_CAST(… AS type)"),
        "chr" | "decode" | "make_date" if is_data(0) => Some("ask first whether it can, in a CASE"),
        "regexp_count" | "regexp_instr" | "regexp_like" | "regexp_match" | "regexp_replace" if is_data(1) => {
            Some("write the pattern as a literal")
        }
        _ => None,
    }
}

fn argument(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => !matches!(value.value, Value::Placeholder(_)),
        Expr::Nested(inner) => is_literal(inner),
        _ => false,
    }
}

/// Casts are guarded, and what a function of their kind gives can be read by these.
fn is_cast(expr: Option<&&Expr>) -> bool {
    match expr {
        Some(Expr::Cast { .. }) => true,
        Some(Expr::Nested(inner)) => is_cast(Some(&inner.as_ref())),
        _ => false,
    }
}
