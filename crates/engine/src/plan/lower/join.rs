//! Joins: of equally windowed inputs timestamp by timestamp, of un-windowed streams with rows kept for a while.

use std::sync::Arc;

use datafusion::common::{Column, JoinConstraint, JoinType, Result, not_impl_err};
use datafusion::functions::core::expr_fn::{coalesce, greatest};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, lit};

use super::columns::{project, qualified_fields, system_column};
use super::graph::{LogicalJoin, is_system};
use super::{Lowering, Stream, is_window_column};
use crate::plan::statements::diagnose::{WithoutWindow, passed_through};
use crate::program::{NodeKind, ROW, TIMESTAMP, Window};

/// The columns of a plan that tell which row of each side a pair is of.
const LEFT_ROW: &str = "__weir_left";
const RIGHT_ROW: &str = "__weir_right";

impl Lowering<'_> {
    pub(crate) fn lower_join(&mut self, join: Join) -> Result<Stream> {
        let left = self.lower_side(&join.left, join.join_type)?;
        let right = self.lower_side(&join.right, join.join_type)?;
        match (left.window, right.window) {
            (None, None) if join.join_type != JoinType::Inner => {
                not_impl_err!("can't handle non-inner joins without windows")
            }
            (None, Some(_)) => {
                not_impl_err!("can't handle mixed windowing between left (non-windowed) and right (windowed).")
            }
            (Some(_), None) => {
                not_impl_err!("can't handle mixed windowing between left (windowed) and right (non-windowed).")
            }
            (Some(l), Some(r)) if l != r => not_impl_err!("can't handle mixed windowing between left and right"),
            (Some(Window::Session { .. }), _) => not_impl_err!("can't handle session windows in joins"),
            _ if join.join_constraint != JoinConstraint::On => {
                not_impl_err!("can't handle join constraint other than ON")
            }
            (Some(window), Some(_)) => self.part(windowed(left, right, join, window)?),
            (None, None) => self.with_expiry(left, right, join),
        }
    }

    /// An input of a join. `INTERSECT` and `EXCEPT` aggregate theirs without a window, but Arroyo looks at the join first.
    fn lower_side(&mut self, side: &Arc<LogicalPlan>, join_type: JoinType) -> Result<Stream> {
        self.lower(Arc::unwrap_or_clone(Arc::clone(side))).or_else(|error| {
            if join_type != JoinType::Inner && passed_through::<WithoutWindow>(&error).is_some() {
                return not_impl_err!("can't handle non-inner joins without windows");
            }
            Err(error)
        })
    }

    fn with_expiry(&mut self, left: Stream, right: Stream, join: Join) -> Result<Stream> {
        if join.on.is_empty() {
            return not_impl_err!("Updating joins must include an equijoin condition");
        }
        let (left_schema, right_schema) = (Arc::clone(left.plan.schema()), Arc::clone(right.plan.schema()));
        let (left, right) = (self.side(left)?, self.side(right)?);
        let times = (system_column(left.1.schema(), TIMESTAMP)?, system_column(right.1.schema(), TIMESTAMP)?);
        let rows = (system_column(left.1.schema(), ROW)?, system_column(right.1.schema(), ROW)?);
        let (left_plan, right_plan) = (Arc::new(left.1), Arc::new(right.1));
        let joined = Join::try_new(
            left_plan,
            right_plan,
            join.on,
            join.filter,
            join.join_type,
            join.join_constraint,
            join.null_equals_null,
        )?;
        let mut output: Vec<Expr> = left_schema
            .iter()
            .chain(right_schema.iter())
            .filter(|(_, f)| !is_system(f.name()))
            .map(|(q, f)| Expr::Column(Column::new(q.cloned(), f.name())))
            .collect();
        let qualifier = left_schema.iter().next().and_then(|(q, _)| q.cloned());
        output.push(greatest(vec![times.0, times.1]).alias_qualified(qualifier.clone(), TIMESTAMP));
        output.push(lit(0u32).alias_qualified(qualifier, ROW));
        let columns = output.len();
        output.extend([rows.0.alias(LEFT_ROW), rows.1.alias(RIGHT_ROW)]);
        let plan = project(LogicalPlan::Join(joined), output)?;
        let mut fields = qualified_fields(plan.schema());
        fields.truncate(columns);
        let node = self.graph.add(
            fields,
            None,
            Vec::new(),
            NodeKind::Join(LogicalJoin { plan, left: left.0, right: right.0, ttl: self.ttl }),
        );
        self.read_node(node, None)
    }

    fn side(&mut self, stream: Stream) -> Result<(usize, LogicalPlan)> {
        // Always a node of its own: the operator keeps its rows, and both sides may read the same table.
        let fields = qualified_fields(stream.plan.schema());
        let node = self.graph.add(fields, None, Vec::new(), NodeKind::Rows(stream.plan));
        Ok((node, self.graph.scan(node, None)?))
    }
}

/// Both sides hold results of the same window: rows meet within their timestamp.
fn windowed(left: Stream, right: Stream, join: Join, window: Window) -> Result<Stream> {
    if matches!(
        join.join_type,
        JoinType::LeftSemi | JoinType::RightSemi | JoinType::LeftAnti | JoinType::RightAnti | JoinType::LeftMark
    ) {
        return not_impl_err!("join must have two timestamp fields");
    }
    let left_time = system_column(left.plan.schema(), TIMESTAMP)?;
    let right_time = system_column(right.plan.schema(), TIMESTAMP)?;
    // Equal windows are equal timestamps, and those are quicker to compare.
    let mut on: Vec<(Expr, Expr)> =
        join.on.into_iter().filter(|(l, r)| !(is_window_column(l, &left) && is_window_column(r, &right))).collect();
    on.push((left_time.clone(), right_time.clone()));
    let visible: Vec<Expr> = left
        .plan
        .schema()
        .iter()
        .chain(right.plan.schema().iter())
        .filter(|(_, f)| !is_system(f.name()))
        .map(|(q, f)| Expr::Column(Column::new(q.cloned(), f.name())))
        .collect();
    let joined = Join::try_new(
        Arc::new(left.plan),
        Arc::new(right.plan),
        on,
        join.filter,
        join.join_type,
        join.join_constraint,
        join.null_equals_null,
    )?;
    let qualifier = left_time.try_as_col().and_then(|c| c.relation.clone());
    let mut output = visible;
    output.push(coalesce(vec![left_time, right_time]).alias_qualified(qualifier, TIMESTAMP));
    let plan = project(LogicalPlan::Join(joined), output)?;
    // As on Arroyo, the window's columns are not followed through a join.
    Ok(Stream { plan, window: Some(window), window_columns: std::collections::HashSet::new(), node: None })
}
