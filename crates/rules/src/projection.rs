//! Which columns a rule returns, read from its text.

use std::{collections::BTreeMap, path::Path};

use sqlparser::ast::{Expr, Ident, SelectItem, SetExpr, Statement};

use crate::{Parameter, RuleError, sql, template::Output};

/// The columns that have a meaning of their own; every other column becomes a detail.
const RESERVED: [&str; 9] =
    ["key", "event_time", "event_id", "window", "window_start", "window_end", "value", "expected", "score"];

/// What a rule returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Projection {
    pub(crate) identity: Identity,
    pub(crate) expected: bool,
    pub(crate) details: Vec<String>,
}

/// What makes an anomaly of the rule one thing, beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A column `window`.
    Window,
    /// Columns `window_start` and `window_end`.
    Bounds,
    /// A column `event_time`, perhaps with `event_id`.
    Event { event_id: bool },
}

impl Projection {
    pub(crate) fn read(
        file: &Path,
        body_line: usize,
        body: &str,
        parameters: &BTreeMap<String, Parameter>,
    ) -> Result<Self, RuleError> {
        let columns = columns(file, body_line, body, parameters)?;
        let has = |name: &str| columns.iter().any(|column| column == name);
        let missing = |what: &str, hint: &str| {
            RuleError::new(file, format!("the SELECT returns no {what}")).at(body_line, 1).hint(hint)
        };
        for (index, column) in columns.iter().enumerate() {
            if columns.iter().take(index).any(|earlier| earlier == column) {
                return Err(RuleError::new(file, format!("the SELECT returns `{column}` twice")).at(body_line, 1));
            }
        }
        if !has("key") {
            return Err(missing("`key`", "say what is anomalous, for instance `series AS key`"));
        }
        if !has("value") {
            return Err(missing("`value`", "say what was seen, for instance `value` or `count(*) AS value`"));
        }
        if !has("score") {
            return Err(missing(
                "`score`",
                "say how unusual it is, in [0, 1]; a constant such as `1.0 AS score` will do",
            ));
        }
        let identity = if has("window") {
            Identity::Window
        } else if has("window_start") && has("window_end") {
            Identity::Bounds
        } else if has("event_time") {
            Identity::Event { event_id: has("event_id") }
        } else {
            return Err(missing(
                "`window` and no `event_time`",
                "a windowed rule returns `window`, any other `event_time`",
            ));
        };
        let is_identity = |column: &str| match identity {
            Identity::Window | Identity::Bounds => column == "event_id" || column == "event_time",
            Identity::Event { .. } => false,
        };
        let details = columns.iter().filter(|c| !RESERVED.contains(&c.as_str()) || is_identity(c)).cloned().collect();
        Ok(Self { identity, expected: has("expected"), details })
    }
}

/// The names of the columns of the outermost `SELECT`.
fn columns(
    file: &Path,
    body_line: usize,
    body: &str,
    parameters: &BTreeMap<String, Parameter>,
) -> Result<Vec<String>, RuleError> {
    // Parameters are filled with their defaults: the text must parse for any value, as values are literals.
    let values = parameters
        .iter()
        .map(|(name, parameter)| {
            let value = parameter.check(&parameter.default).map_err(|e| RuleError::new(file, e))?;
            Ok((name.clone(), value.to_sql()))
        })
        .collect::<Result<BTreeMap<_, _>, RuleError>>()?;
    let mut filled = Output::default();
    filled.written(file, body_line, body, &values)?;
    let place = |line: usize, column: usize| {
        filled.map.origin(line, column).map_or((body_line, 1), |origin| (origin.line, origin.column))
    };

    let statements = sql::parse(&filled.text).map_err(|fault| {
        let (line, column) = place(fault.line, fault.column);
        let error = RuleError::new(file, fault.message).at(line, column);
        match fault.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })?;
    let [Statement::Query(query)] = statements.as_slice() else {
        return Err(RuleError::new(file, "a rule is exactly one SELECT")
            .at(body_line, 1)
            .hint("tables, views and INSERTs belong into tables.sql; the compiler adds the rest"));
    };
    let mut set = query.body.as_ref();
    let select = loop {
        match set {
            SetExpr::Select(select) => break select,
            SetExpr::Query(inner) => set = inner.body.as_ref(),
            SetExpr::SetOperation { left, .. } => set = left.as_ref(),
            _ => return Err(RuleError::new(file, "a rule is exactly one SELECT").at(body_line, 1)),
        }
    };
    select
        .projection
        .iter()
        .map(|item| {
            column_name(item).ok_or_else(|| {
                let start = sqlparser::ast::Spanned::span(item).start;
                let (line, column) =
                    place(usize::try_from(start.line).unwrap_or(0), usize::try_from(start.column).unwrap_or(0));
                let (message, hint) = match item {
                    SelectItem::UnnamedExpr(_) => ("this column has no name", "add `AS name`"),
                    _ => ("the outermost SELECT must name its columns", "write them out instead of `*`"),
                };
                RuleError::new(file, message).at(line, column).hint(hint)
            })
        })
        .collect()
}

fn column_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(fold(ident)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(fold),
        _ => None,
    }
}

/// Unquoted identifiers fold to lower case, as in the engine.
fn fold(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}
