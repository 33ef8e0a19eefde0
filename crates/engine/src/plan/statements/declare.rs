//! `CREATE TABLE`: what it declares, with its generated columns and its watermark planned.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::{DFSchema, DataFusionError, Result, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::sql::TableReference;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

use super::catalog::{Catalog, Table};
use super::diagnose::explain;
use super::optimize::optimized_plan;
use super::options::Options;
use super::table::{ConnectorTable, DEFAULT_LATENESS, FieldSpec, WatermarkSpec, impulse_fields, read_options};
use crate::error::{Place, PlanError};
use crate::formats::json::{EXTENSION_KEY, JSON_EXTENSION};
use crate::program::TableKind;
use crate::sql::{Column, ColumnKind, CreateTable, Watermark};

/// Checks a declaration and makes a table of it.
pub(crate) fn declare(
    table: CreateTable,
    catalog: &mut Catalog,
    now: DateTime<Utc>,
    tokens: &[TokenWithSpan],
) -> Result<Table, PlanError> {
    let place = table.place;
    let mut options = Options::new(table.options, place);
    let connector = options.text("connector")?;
    if table.temporary {
        return Err(PlanError::not_supported("lookup tables (CREATE TEMPORARY TABLE)").at(place));
    }
    refuse_metadata(&table.columns, connector.as_deref())?;
    let mut declaration = Declaration { name: &table.name, catalog, now, tokens };
    let physical = physical_schema(&table.columns);
    let fields = declaration.fields(&table.columns, &physical)?;
    let connector = match connector.as_deref() {
        None | Some("memory") => return memory_table(&fields, &options, connector.is_some(), place),
        Some(connector) => connector,
    };
    if options.text("connection_profile")?.is_some() {
        return Err(PlanError::not_supported("connection profiles").at(place));
    }
    let mut fields = fields;
    if connector == "impulse" {
        if fields.iter().any(|f| matches!(f, FieldSpec::Physical(_))) {
            return Err(PlanError::refused("invalid schema for impulse source")
                .at(place)
                .hint("leave the columns out: there are counter BIGINT and subtask_index BIGINT"));
        }
        if fields.is_empty() {
            fields = impulse_fields();
        }
    }
    let info = read_options(&table.name, connector, &fields, &mut options, place)?;
    let mut event_time = options.text("event_time_field")?;
    let watermark_field = options.text("watermark_field")?;
    // Accepted and without effect on Arroyo.
    options.integer("idle_micros")?;
    let mut watermark = match &watermark_field {
        Some(name) => named_watermark(name, &fields, place)?,
        None => WatermarkSpec::Lateness(DEFAULT_LATENESS),
    };
    if let Some(name) = &event_time {
        check_time_field(name, &fields, place)?;
    }
    if let Some(declared) = &table.watermark {
        event_time = Some(declared.column.clone());
        watermark = declaration.watermark(declared, &fields, &physical)?;
    }
    options.finish()?;
    let kind = info.kind;
    if kind == TableKind::Source && fields.is_empty() {
        return Err(PlanError::refused(format!("source {} has no columns", table.name)).at(place));
    }
    let mut connector_table = ConnectorTable { info, fields, event_time, watermark };
    connector_table.info.schema =
        if kind == TableKind::Source { connector_table.physical_schema() } else { connector_table.schema() };
    let connector_table = Arc::new(connector_table);
    Ok(if kind == TableKind::Source { Table::Source(connector_table) } else { Table::Sink(connector_table) })
}

fn memory_table(fields: &[FieldSpec], options: &Options, named: bool, place: Place) -> Result<Table, PlanError> {
    if fields.iter().any(|f| matches!(f, FieldSpec::Generated { .. })) {
        return Err(
            PlanError::refused("virtual fields are not supported in memory tables; instead write a query").at(place)
        );
    }
    if !options.is_empty() {
        let hint = "to create a connection table set the 'connector' option";
        let error = PlanError::refused("memory tables do not allow with options").at(place);
        return Err(if named { error } else { error.hint(hint) });
    }
    Ok(Table::Memory {
        fields: fields.iter().map(|f| Arc::new(f.field().clone())).collect(),
        node: None,
        united: false,
    })
}

fn refuse_metadata(columns: &[Column], connector: Option<&str>) -> Result<(), PlanError> {
    for column in columns {
        if let ColumnKind::Metadata(key) = &column.kind {
            let connector = connector.unwrap_or("memory");
            return Err(PlanError::refused(format!("unknown metadata field '{key}' for column '{}'", column.name))
                .at(column.place)
                .hint(format!("connector '{connector}' gives records no metadata")));
        }
    }
    Ok(())
}

fn arrow_field(column: &Column) -> Field {
    let field = Field::new(&column.name, column.data_type.clone(), column.nullable);
    if column.json {
        field.with_metadata([(EXTENSION_KEY.to_owned(), JSON_EXTENSION.to_owned())].into())
    } else {
        field
    }
}

fn physical_schema(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> =
        columns.iter().filter(|c| matches!(c.kind, ColumnKind::Physical)).map(arrow_field).collect();
    Schema::new(fields).into()
}

struct Declaration<'a> {
    name: &'a str,
    catalog: &'a mut Catalog,
    now: DateTime<Utc>,
    tokens: &'a [TokenWithSpan],
}

impl Declaration<'_> {
    fn fields(&mut self, columns: &[Column], physical: &SchemaRef) -> Result<Vec<FieldSpec>, PlanError> {
        let mut fields: Vec<FieldSpec> = Vec::with_capacity(columns.len());
        for column in columns {
            if fields.iter().any(|f| f.field().name() == &column.name) {
                return Err(PlanError::refused(format!("column '{}' is defined twice", column.name)).at(column.place));
            }
            let field = arrow_field(column);
            fields.push(match &column.kind {
                ColumnKind::Generated(expression) => {
                    let expression =
                        self.expression(expression, physical).map_err(|e| explain(&e, self.tokens).at(column.place))?;
                    FieldSpec::Generated { field, expression }
                }
                _ => FieldSpec::Physical(field),
            });
        }
        Ok(fields)
    }

    fn watermark(
        &mut self,
        declared: &Watermark,
        fields: &[FieldSpec],
        physical: &SchemaRef,
    ) -> Result<WatermarkSpec, PlanError> {
        let Some(spec) = fields.iter().find(|f| f.field().name() == &declared.column) else {
            return Err(PlanError::refused(format!(
                "WATERMARK FOR field `{}` does not exist in table",
                declared.column
            ))
            .at(declared.place));
        };
        let data_type = spec.field().data_type();
        if !matches!(data_type, DataType::Timestamp(_, None)) {
            return Err(PlanError::refused(format!(
                "WATERMARK FOR field `{}` has type {data_type}, but expected TIMESTAMP",
                declared.column
            ))
            .at(declared.place));
        }
        let Some(expression) = &declared.expression else { return Ok(WatermarkSpec::Lateness(0)) };
        let expression = self.expression(expression, physical).map_err(|e| {
            let explained = explain(&e, self.tokens).at(declared.place);
            let message = format!("could not plan watermark expression: {}", explained.message);
            PlanError { message, ..explained }
                .hint("the expression sees only columns that records carry, not generated ones")
        })?;
        let schema = DFSchema::try_from_qualified_schema(TableReference::bare(self.name), physical)
            .map_err(|e| explain(&e, self.tokens))?;
        let (data_type, nullable) = expression.data_type_and_nullable(&schema).map_err(|e| explain(&e, self.tokens))?;
        if !matches!(data_type, DataType::Timestamp(..)) {
            return Err(PlanError::refused(format!(
                "the type of the WATERMARK FOR expression must be TIMESTAMP, but was {data_type}"
            ))
            .at(declared.place));
        }
        if nullable {
            return Err(PlanError::refused("the type of the WATERMARK FOR expression must be NOT NULL")
                .at(declared.place)
                .hint("declare the column NOT NULL, or wrap the expression in COALESCE"));
        }
        Ok(WatermarkSpec::Expression(Box::new(expression)))
    }

    /// Plans an expression over the columns that records carry.
    fn expression(&mut self, expression: &ast::Expr, physical: &SchemaRef) -> Result<Expr> {
        let query = ast::Statement::Query(Box::new(select_expression(expression.clone(), self.name)?));
        let hidden = self.catalog.insert(self.name, Table::Columns(Arc::clone(physical)));
        let planned = optimized_plan(query, self.catalog, self.now, &mut |_| Ok(()));
        match hidden {
            Some(table) => self.catalog.insert(self.name, table),
            None => self.catalog.remove(self.name),
        };
        whole_expression(planned?)
    }
}

/// The expression of a plan of one projection; common parts that the optimizer took out are put back.
fn whole_expression(plan: LogicalPlan) -> Result<Expr> {
    use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
    let LogicalPlan::Projection(projection) = plan else {
        return plan_err!("a generated column is one expression over the columns of its own record");
    };
    let Some(expression) = projection.expr.into_iter().next() else { return plan_err!("empty expression") };
    let LogicalPlan::Projection(inner) = projection.input.as_ref() else { return Ok(expression.unalias()) };
    expression
        .unalias()
        .transform_up(|e| match &e {
            Expr::Column(column) => {
                let index = inner.schema.index_of_column(column)?;
                let found = inner.expr.get(index).cloned();
                Ok(found.map_or(Transformed::no(e), |f| Transformed::yes(f.unalias())))
            }
            _ => Ok(Transformed::no(e)),
        })
        .data()
}

fn select_expression(expression: ast::Expr, table: &str) -> Result<ast::Query> {
    let template = format!("SELECT 0 FROM \"{table}\"");
    let failed = || DataFusionError::Plan("the expression cannot be planned".to_owned());
    let parsed = crate::sql::parse(&template).map_err(|e| DataFusionError::Plan(e.message))?;
    let Some(crate::sql::StatementKind::Select(mut query)) = parsed.into_iter().next().map(|s| s.kind) else {
        return Err(failed());
    };
    match query.body.as_mut() {
        ast::SetExpr::Select(select) => select.projection = vec![ast::SelectItem::UnnamedExpr(expression)],
        _ => return Err(failed()),
    }
    Ok(*query)
}

fn check_time_field<'a>(name: &str, fields: &'a [FieldSpec], place: Place) -> Result<&'a FieldSpec, PlanError> {
    fields
        .iter()
        .find(|f| f.field().name() == name && matches!(f.field().data_type(), DataType::Timestamp(..)))
        .ok_or_else(|| PlanError::refused(format!("field {name} not found or not a timestamp")).at(place))
}

fn named_watermark(name: &str, fields: &[FieldSpec], place: Place) -> Result<WatermarkSpec, PlanError> {
    let expression = match check_time_field(name, fields, place)? {
        FieldSpec::Physical(field) => Expr::Column(datafusion::common::Column::new_unqualified(field.name())),
        FieldSpec::Generated { expression, .. } => expression.clone(),
    };
    Ok(WatermarkSpec::Expression(Box::new(expression)))
}
