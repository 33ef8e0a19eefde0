//! Which columns are needed, from consumer to producer: an operator gives only what somebody reads.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::OperatorFault;
use crate::plan::lower::columns::project;
use crate::plan::lower::graph::{Graph, Logical, LogicalJoin, LogicalWindow, Node, scanned_node};
use crate::plan::statements::optimize::optimize_operator;
use crate::program::{NodeId, NodeKind, TIMESTAMP};

/// Where a node's columns are after pruning, by where they were before.
pub(crate) type Positions = Arc<HashMap<usize, usize>>;

/// A graph whose operators give what is read and no more; everything in the order of its nodes.
pub(crate) struct Pruned {
    /// What each operator does, with plans for the columns that are read.
    pub(crate) nodes: Vec<NodeKind<Logical>>,
    pub(crate) positions: Vec<Positions>,
    /// Each node's columns.
    pub(crate) outputs: Vec<SchemaRef>,
}

/// Prunes a graph.
pub(crate) fn prune(graph: Graph, now: DateTime<Utc>) -> std::result::Result<Pruned, OperatorFault> {
    let mut pruning = Pruning {
        needed: vec![BTreeSet::new(); graph.nodes.len()],
        used: vec![false; graph.nodes.len()],
        positions: graph.nodes.iter().map(|_| Positions::default()).collect(),
        schemas: graph.nodes.iter().map(|n| Arc::clone(&n.schema)).collect(),
        outputs: graph.nodes.iter().map(|_| Arc::new(Schema::empty())).collect(),
        now,
    };
    // To count does not make a node used: only what reaches a sink is.
    for (id, column) in &graph.counts {
        pruning.needed.get_mut(*id).into_iter().for_each(|needed| {
            needed.insert(*column);
        });
    }
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.into_iter().enumerate().rev() {
        nodes.push(pruning.prune_node(id, node).map_err(|error| OperatorFault { node: id, error })?);
    }
    nodes.reverse();
    Ok(Pruned { nodes, positions: pruning.positions, outputs: pruning.outputs })
}

struct Pruning {
    /// Columns of each node that somebody reads.
    needed: Vec<BTreeSet<usize>>,
    used: Vec<bool>,
    positions: Vec<Positions>,
    /// Each node's columns before pruning.
    schemas: Vec<SchemaRef>,
    outputs: Vec<SchemaRef>,
    now: DateTime<Utc>,
}

impl Pruning {
    fn prune_node(&mut self, id: NodeId, node: Node) -> Result<NodeKind<Logical>> {
        let is_sink = matches!(node.kind, NodeKind::Sink { .. });
        if !is_sink && !self.used.get(id).copied().unwrap_or(false) {
            return Ok(NodeKind::Unused);
        }
        let kept = self.kept_columns(id, &node);
        self.set_positions(id, &kept, &node.schema);
        Ok(match node.kind {
            NodeKind::Unused => NodeKind::Unused,
            NodeKind::Source(table) => NodeKind::Source(table),
            NodeKind::Rows(plan) => NodeKind::Rows(self.pruned(plan, Some(&kept))?),
            NodeKind::PerTimestamp(plan) => {
                let plan = self.pruned(plan, Some(&kept))?;
                self.need_time_of_inputs(&plan)?;
                NodeKind::PerTimestamp(plan)
            }
            NodeKind::Window(window) => {
                NodeKind::Window(LogicalWindow { plan: self.pruned(window.plan, None)?, ..window })
            }
            NodeKind::Union(plans) => {
                NodeKind::Union(plans.into_iter().map(|p| self.pruned(p, Some(&kept))).collect::<Result<_>>()?)
            }
            NodeKind::Join(LogicalJoin { plan, left, right, ttl }) => {
                let columns = plan.schema().fields().len();
                let with_rows: Vec<usize> = kept.into_iter().chain(node.schema.fields().len()..columns).collect();
                let plan = self.pruned(plan, Some(&with_rows))?;
                self.need_time_of_inputs(&plan)?;
                NodeKind::Join(LogicalJoin { plan, left, right, ttl })
            }
            NodeKind::Sink { rows, sink } => NodeKind::Sink { rows: self.pruned(rows, None)?, sink },
        })
    }

    /// The columns that a node really has to give; time always, so that a batch is never without columns.
    fn kept_columns(&self, id: NodeId, node: &Node) -> Vec<usize> {
        let all = 0..node.schema.fields().len();
        if matches!(node.kind, NodeKind::Window(_) | NodeKind::Sink { .. }) {
            return all.collect();
        }
        let needed = self.needed.get(id).cloned().unwrap_or_default();
        all.filter(|i| needed.contains(i) || node.schema.field(*i).name() == TIMESTAMP).collect()
    }

    fn set_positions(&mut self, id: NodeId, kept: &[usize], schema: &SchemaRef) {
        let positions: HashMap<usize, usize> = kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let fields: Vec<Field> = kept.iter().map(|i| schema.field(*i).clone()).collect();
        if let (Some(p), Some(o)) = (self.positions.get_mut(id), self.outputs.get_mut(id)) {
            *p = Arc::new(positions);
            *o = Schema::new(fields).into();
        }
    }

    /// Optimizes an operator's plan for the columns that it has to give, and notes what it reads.
    fn pruned(&mut self, plan: LogicalPlan, kept: Option<&[usize]>) -> Result<LogicalPlan> {
        let plan = match kept {
            Some(kept) => {
                let columns =
                    kept.iter().map(|i| Expr::Column(Column::from(plan.schema().qualified_field(*i)))).collect();
                project(plan, columns)?
            }
            None => plan,
        };
        let plan = optimize_operator(plan, self.now)?;
        plan.apply(|p| {
            if let LogicalPlan::TableScan(scan) = p {
                let Some(id) = scanned_node(&scan.table_name) else {
                    return internal_err!("scan of {}", scan.table_name);
                };
                self.need(id, scan.projection.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(plan)
    }

    fn need(&mut self, id: NodeId, columns: Option<Vec<usize>>) {
        let all = self.schemas.get(id).map_or(0, |s| s.fields().len());
        if let (Some(used), Some(needed)) = (self.used.get_mut(id), self.needed.get_mut(id)) {
            *used = true;
            needed.extend(columns.unwrap_or_else(|| (0..all).collect()));
        }
    }

    fn need_time_of_inputs(&mut self, plan: &LogicalPlan) -> Result<()> {
        for id in scans(plan)? {
            let time = self.schemas.get(id).and_then(|s| s.index_of(TIMESTAMP).ok());
            self.need(id, Some(time.into_iter().collect()));
        }
        Ok(())
    }
}

/// The nodes that a plan reads, each once.
pub(crate) fn scans(plan: &LogicalPlan) -> Result<Vec<NodeId>> {
    let mut found = BTreeSet::new();
    plan.apply(|p| {
        if let LogicalPlan::TableScan(scan) = p {
            found.extend(scanned_node(&scan.table_name));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found.into_iter().collect())
}
