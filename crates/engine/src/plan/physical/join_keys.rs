//! What a join compares, as expressions over the rows that its operator keeps: read from the join's plan.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_batches::CoalesceBatchesExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;

use crate::program::{InputExec, JoinKeys, NodeId};

/// The keys of a join; `None` where the plan has another form than those known here.
pub(crate) fn join_keys(
    plan: &Arc<dyn ExecutionPlan>,
    left_node: NodeId,
    right_node: NodeId,
) -> Result<Option<JoinKeys>> {
    let mut at = plan;
    let join = loop {
        if let Some(join) = at.as_any().downcast_ref::<HashJoinExec>() {
            break join;
        }
        match at.children().as_slice() {
            [only] => at = only,
            _ => return Ok(None),
        }
    };
    let (left, right) = join.on().iter().cloned().unzip();
    let (left_schema, right_schema) = (join.left().schema(), join.right().schema());
    let mut types = Vec::with_capacity(join.on().len());
    for (left, right) in join.on() {
        let (left, right) = (left.data_type(&left_schema)?, right.data_type(&right_schema)?);
        // Equal values must have equal bytes.
        if left != right {
            return Ok(None);
        }
        types.push(left);
    }
    let mut sides = HashMap::new();
    for (expressions, side) in [(left, join.left()), (right, join.right())] {
        let Some((node, expressions)) = over_input(expressions, side)? else { return Ok(None) };
        sides.insert(node, expressions);
    }
    let (Some(left), Some(right)) = (sides.remove(&left_node), sides.remove(&right_node)) else { return Ok(None) };
    Ok(Some(JoinKeys { left, right, types }))
}

/// Expressions over a plan's output, as expressions over the rows of the node that it reads.
#[allow(clippy::type_complexity, reason = "a node and expressions, used once")]
fn over_input(
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    plan: &Arc<dyn ExecutionPlan>,
) -> Result<Option<(NodeId, Vec<Arc<dyn PhysicalExpr>>)>> {
    let plan_any = plan.as_any();
    let replaced = |by: &dyn Fn(&Column) -> Option<Arc<dyn PhysicalExpr>>| {
        expressions.iter().map(|e| replace(e, by)).collect::<Result<Vec<_>>>()
    };
    if let Some(input) = plan_any.downcast_ref::<InputExec>() {
        let own = |c: &Column| {
            let place = *input.columns.get(c.index())?;
            Some(Arc::new(Column::new(c.name(), place)) as Arc<dyn PhysicalExpr>)
        };
        return Ok(Some((input.node, replaced(&own)?)));
    }
    let below = if let Some(projection) = plan_any.downcast_ref::<ProjectionExec>() {
        replaced(&|c| projection.expr().get(c.index()).map(|(e, _)| Arc::clone(e)))?
    } else if let Some(filter) = plan_any.downcast_ref::<FilterExec>() {
        match filter.projection() {
            None => expressions,
            Some(places) => replaced(&|c| {
                let place = *places.get(c.index())?;
                Some(Arc::new(Column::new(c.name(), place)) as Arc<dyn PhysicalExpr>)
            })?,
        }
    } else if plan_any.is::<CoalesceBatchesExec>() {
        expressions
    } else {
        return Ok(None);
    };
    match plan.children().as_slice() {
        [only] => over_input(below, only),
        _ => Ok(None),
    }
}

fn replace(
    expression: &Arc<dyn PhysicalExpr>,
    by: &dyn Fn(&Column) -> Option<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn PhysicalExpr>> {
    Arc::clone(expression)
        .transform_up(|e| match e.as_any().downcast_ref::<Column>().and_then(by) {
            Some(other) => Ok(Transformed::yes(other)),
            None => Ok(Transformed::no(e)),
        })
        .data()
}
