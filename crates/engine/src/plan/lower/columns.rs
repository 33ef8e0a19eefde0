//! Columns of plans: by name, by position, and projected.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Column, DFSchema, Result, TableReference, plan_err};
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};

use super::graph::is_system;

/// A qualified column's name.
pub(crate) type ColumnKey = (Option<TableReference>, String);

/// The column that an expression is, through aliases.
pub(crate) fn extract_column(expression: &Expr) -> Option<&Column> {
    match expression {
        Expr::Column(column) => Some(column),
        Expr::Alias(Alias { expr, .. }) => extract_column(expr),
        _ => None,
    }
}

pub(crate) fn column_key(schema: &DFSchema, index: usize) -> ColumnKey {
    let (qualifier, field) = schema.qualified_field(index);
    (qualifier.cloned(), field.name().clone())
}

pub(crate) fn qualified_fields(schema: &DFSchema) -> Vec<(Option<TableReference>, FieldRef)> {
    schema.iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field))).collect()
}

/// The column of the engine's own with this name.
pub(crate) fn system_column(schema: &DFSchema, name: &str) -> Result<Expr> {
    match schema.iter().find(|(_, f)| f.name() == name) {
        Some((qualifier, field)) => Ok(Expr::Column(Column::new(qualifier.cloned(), field.name()))),
        None => plan_err!("No timestamp field found in projection input ({name})"),
    }
}

/// The columns that a statement's author can see, by position.
pub(crate) fn visible_columns(schema: &DFSchema, count: usize) -> Vec<(Expr, DataType, String)> {
    (0..schema.fields().len())
        .filter(|i| !is_system(schema.field(*i).name()))
        .take(count)
        .map(|i| {
            let field = schema.field(i);
            (Expr::Column(Column::from(schema.qualified_field(i))), field.data_type().clone(), field.name().clone())
        })
        .collect()
}

/// A projection over a plan.
pub(crate) fn project(plan: LogicalPlan, expressions: Vec<Expr>) -> Result<LogicalPlan> {
    Ok(LogicalPlan::Projection(Projection::try_new(expressions, Arc::new(plan))?))
}
