//! Aggregates: in a window of their own, over rows that are windowed already, or refused because they would update.

use std::sync::Arc;

use datafusion::common::{Column, DataFusionError, Result, ScalarValue, not_impl_err, plan_err};
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, lit};

use super::columns::{column_key, project, qualified_fields, system_column};
use super::graph::LogicalWindow;
use super::unnest;
use super::windows::{find_window, refuse_window_calls};
use super::{Lowering, Stream, is_window_column};
use crate::error::PlanError;
use crate::plan::statements::catalog::Table;
use crate::plan::statements::diagnose::{WithoutWindow, refusal};
use crate::program::{NodeKind, ROW, TIMESTAMP, Window, window_type};

impl Lowering<'_> {
    pub(crate) fn lower_aggregate(&mut self, aggregate: Aggregate) -> Result<Stream> {
        if self.is_united(&aggregate.input) {
            return plan_err!("a GROUP BY over a UNION ALL in the same query");
        }
        let input = self.lower(Arc::unwrap_or_clone(Arc::clone(&aggregate.input)))?;
        let mut called = Vec::new();
        for (index, expression) in aggregate.group_expr.iter().enumerate() {
            if let Some(window) = find_window(expression)? {
                called.push((index, window));
            }
        }
        if called.len() > 1 {
            return not_impl_err!("do not support {} window expressions in group by", called.len());
        }
        if aggregate.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_))) {
            return Err(refusal(PlanError::not_supported("GROUPING SETS, CUBE and ROLLUP")));
        }
        unnest::refuse_elsewhere(&aggregate.group_expr)?;
        unnest::refuse_elsewhere(&aggregate.aggr_expr)?;
        refuse_window_calls(&aggregate.aggr_expr)?;
        match (input.window, called.pop()) {
            (Some(existing), Some((index, window))) => {
                if window != existing {
                    return not_impl_err!("window in group by does not match input window");
                }
                if let Some((qualifier, name)) = input.window_columns.iter().min().cloned() {
                    let mut groups = aggregate.group_expr.clone();
                    if let Some(group) = groups.get_mut(index) {
                        *group = Expr::Column(Column::new(qualifier, name));
                    }
                    return self.part(regroup(input, groups, &aggregate)?);
                }
                if matches!(existing, Window::Session { .. }) {
                    return plan_err!(
                        "can't reinvoke session window in nested aggregates. Need to pass the window struct up from the source query."
                    );
                }
                self.part(nested(input, index, existing, &aggregate)?)
            }
            (Some(_), None) => self.part(regroup(input, aggregate.group_expr.clone(), &aggregate)?),
            (None, Some((index, window))) => self.in_window(input, index, window, &aggregate),
            (None, None) if self.anonymous => Err(DataFusionError::External(Box::new(WithoutWindow))),
            (None, None) => plan_err!(
                "input is updating, but sink is not configured as an updating sink: an aggregate without a time window updates its results"
            ),
        }
    }

    /// The first window over a stream: an operator.
    fn in_window(
        &mut self,
        input: Stream,
        window_index: usize,
        window: Window,
        aggregate: &Aggregate,
    ) -> Result<Stream> {
        let schema = Arc::clone(input.plan.schema());
        let mut groups = aggregate.group_expr.clone();
        groups.remove(window_index);
        refuse_window_calls(&groups)?;
        // Time and row number ride along as groups, so that column pruning keeps them.
        groups.push(system_column(&schema, TIMESTAMP)?);
        groups.push(system_column(&schema, ROW)?);
        let plan = Aggregate::try_new(Arc::new(input.plan), groups, aggregate.aggr_expr.clone())?;
        let mut fields = qualified_fields(&aggregate.schema);
        if let Some((_, field)) = fields.get_mut(window_index) {
            let typed = field.as_ref().clone().with_data_type(window_type()).with_nullable(false);
            *field = Arc::new(typed);
        }
        fields.push(super::graph::timestamp_field());
        let kind = NodeKind::Window(LogicalWindow { plan: LogicalPlan::Aggregate(plan), window, window_index });
        let node = self.graph.add(fields, Some(window), vec![window_index], kind);
        self.read_node(node, None)
    }

    /// Whether the rows come straight from a `UNION ALL`, also by way of a memory table: Arroyo 0.15 then finds more than one
    /// input where it computes the keys. A view in between is a node of its own.
    pub(crate) fn is_united(&self, plan: &LogicalPlan) -> bool {
        match plan {
            LogicalPlan::Union(_) => true,
            LogicalPlan::TableScan(scan) => {
                matches!(self.catalog.get(scan.table_name.table()), Some(Table::Memory { united: true, .. }))
            }
            LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {
                plan.inputs().into_iter().any(|input| self.is_united(input))
            }
            _ => false,
        }
    }
}

/// Groups rows that are windowed already by their window (and more).
fn regroup(input: Stream, groups: Vec<Expr>, aggregate: &Aggregate) -> Result<Stream> {
    let windows: Vec<usize> =
        groups.iter().enumerate().filter(|(_, e)| is_window_column(e, &input)).map(|(i, _)| i).collect();
    if windows.is_empty() {
        return plan_err!(
            "must have window in aggregate. Make sure you are calling one of the windowing functions (hop, tumble, session) or using the window field of the input"
        );
    }
    refuse_window_calls(&groups)?;
    let (window, time) = (input.window, system_column(input.plan.schema(), TIMESTAMP)?);
    let count = groups.len();
    let mut groups = groups;
    groups.push(time);
    let plan = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input.plan), groups, aggregate.aggr_expr.clone())?);
    let mut output = Vec::with_capacity(aggregate.schema.fields().len() + 1);
    for index in 0..aggregate.schema.fields().len() {
        let from = if index < count { index } else { index + 1 };
        output.push(renamed(&plan, from, aggregate, index));
    }
    output.push(Expr::Column(Column::from(plan.schema().qualified_field(count))));
    let plan = project(plan, output)?;
    let window_columns = windows.into_iter().map(|i| column_key(plan.schema(), i)).collect();
    Ok(Stream { plan, window, window_columns, node: None })
}

/// The same fixed window called again over windowed rows: they are grouped by their timestamp, which names the window.
fn nested(input: Stream, window_index: usize, window: Window, aggregate: &Aggregate) -> Result<Stream> {
    let Some(width) = window.width() else { return plan_err!("session windows cannot be nested") };
    let time = system_column(input.plan.schema(), TIMESTAMP)?;
    let mut groups = aggregate.group_expr.clone();
    groups.remove(window_index);
    refuse_window_calls(&groups)?;
    let keys = groups.len();
    groups.push(time);
    let plan = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input.plan), groups, aggregate.aggr_expr.clone())?);
    let timestamp = Expr::Column(Column::from(plan.schema().qualified_field(keys)));
    let nanos = |n: i64| lit(ScalarValue::new_interval_mdn(0, 0, n));
    let bounds = named_struct(vec![
        lit("start"),
        timestamp.clone() - nanos(width - 1),
        lit("end"),
        timestamp.clone() + nanos(1),
    ]);
    let mut output = Vec::with_capacity(aggregate.schema.fields().len() + 1);
    for index in 0..aggregate.schema.fields().len() {
        if index == window_index {
            let (qualifier, field) = aggregate.schema.qualified_field(index);
            output.push(bounds.clone().alias_qualified(qualifier.cloned(), field.name()));
            continue;
        }
        // Keys after the window moved one to the left; aggregates sit behind the timestamp, which takes the window's place.
        let from = if index < window_index {
            index
        } else if index <= keys {
            index - 1
        } else {
            index
        };
        output.push(renamed(&plan, from, aggregate, index));
    }
    output.push(timestamp);
    let plan = project(plan, output)?;
    let window_columns = [column_key(plan.schema(), window_index)].into();
    Ok(Stream { plan, window: Some(window), window_columns, node: None })
}

/// Column `from` of a plan under the name that the original aggregate gave to column `index`.
fn renamed(plan: &LogicalPlan, from: usize, aggregate: &Aggregate, index: usize) -> Expr {
    let (qualifier, field) = aggregate.schema.qualified_field(index);
    Expr::Column(Column::from(plan.schema().qualified_field(from))).alias_qualified(qualifier.cloned(), field.name())
}
