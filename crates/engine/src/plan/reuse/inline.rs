//! Takes back the splits that nobody shares: an operator that one other alone reads becomes a part of that one's plan again.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::scans;
use crate::plan::lower::columns::project;
use crate::plan::lower::graph::{Graph, scanned_node};
use crate::program::{NodeId, NodeKind};

/// Puts each part that is read once, by an operator that sees whole timestamps too, into that operator.
pub(super) fn inline(graph: &mut Graph) -> Result<()> {
    let mut readers: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    for (id, node) in graph.nodes.iter().enumerate() {
        for plan in node.plans() {
            scans(plan)?.into_iter().for_each(|read| readers.entry(read).or_default().push(id));
        }
    }
    for part in graph.parts.clone() {
        let Some([reader]) = readers.get(&part).map(Vec::as_slice) else { continue };
        if !graph.nodes.get(*reader).is_some_and(|node| matches!(node.kind, NodeKind::PerTimestamp(_))) {
            continue;
        }
        let Some(node) = graph.nodes.get_mut(part) else { continue };
        let schema = node.schema.clone();
        let NodeKind::PerTimestamp(plan) = std::mem::replace(&mut node.kind, NodeKind::Unused) else { continue };
        if let Some(NodeKind::PerTimestamp(outer)) = graph.nodes.get_mut(*reader).map(|node| &mut node.kind) {
            *outer = with_part(std::mem::take(outer), part, &plan, &schema)?;
        }
    }
    Ok(())
}

/// A plan with another in place of a scan of its operator.
fn with_part(
    plan: LogicalPlan,
    part: NodeId,
    inner: &LogicalPlan,
    schema: &arrow::datatypes::Schema,
) -> Result<LogicalPlan> {
    plan.transform_up(|plan| {
        let LogicalPlan::TableScan(scan) = &plan else { return Ok(Transformed::no(plan)) };
        if scanned_node(&scan.table_name) != Some(part) {
            return Ok(Transformed::no(plan));
        }
        let columns = schema.fields().iter().enumerate().map(|(index, field)| {
            let column = Expr::Column(Column::from(inner.schema().qualified_field(index)));
            column.alias_qualified(Some(scan.table_name.clone()), field.name())
        });
        Ok(Transformed::yes(project(inner.clone(), columns.collect())?))
    })
    .data()
}
