//! A program as a graph of operators, before it is made runnable.
//!
//! Each operator carries a logical plan whose leaves are other operators' outputs. Nodes are in topological order: a node
//! reads only nodes before it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{Column, Result, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use crate::plan::statements::catalog::Columns;
use crate::plan::statements::table::{ConnectorTable, time_type};
use crate::program::{NodeId, NodeKind, Phase, ROW, TIMESTAMP, Window};

/// The column that carries what a source row says about the watermark.
pub(crate) const WATERMARK: &str = "__weir_watermark";
/// The column that carries a record's arrival.
pub(crate) const ARRIVAL: &str = "__weir_arrival";

const NODE_PREFIX: &str = "__weir_node_";

/// Whether a column carries the engine's own bookkeeping.
pub(crate) fn is_system(name: &str) -> bool {
    name == TIMESTAMP || name == ROW
}

/// The operators of a program.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// Nodes whose rows are counted by the text in a column.
    pub(crate) counts: BTreeMap<NodeId, usize>,
    /// Operators that were split off a statement's plan so that others may read them too.
    pub(crate) parts: BTreeSet<NodeId>,
}

/// One operator.
#[derive(Debug)]
pub(crate) struct Node {
    /// The output's columns as queries know them.
    pub(crate) fields: Vec<(Option<TableReference>, FieldRef)>,
    /// The output with names that are unique.
    pub(crate) schema: SchemaRef,
    /// The rows are results of this window.
    pub(crate) window: Option<Window>,
    /// The columns that hold the window.
    pub(crate) window_columns: Vec<usize>,
    pub(crate) kind: NodeKind<Logical>,
}

/// The phase in which operators carry logical plans whose leaves are other operators' outputs.
#[derive(Debug)]
pub(crate) struct Logical;

impl Phase for Logical {
    type Source = Arc<ConnectorTable>;
    type Rows = LogicalPlan;
    type PerTimestamp = LogicalPlan;
    type Window = LogicalWindow;
    type Join = LogicalJoin;
}

/// An aggregate in time windows.
#[derive(Debug)]
pub(crate) struct LogicalWindow {
    /// The aggregate over its input; its last two groups are time and row number.
    pub(crate) plan: LogicalPlan,
    pub(crate) window: Window,
    /// Where the window stands among the output's columns.
    pub(crate) window_index: usize,
}

/// An inner join of un-windowed streams.
#[derive(Debug)]
pub(crate) struct LogicalJoin {
    /// Gives two columns more than the node: the numbers of the rows that make a pair.
    pub(crate) plan: LogicalPlan,
    pub(crate) left: NodeId,
    pub(crate) right: NodeId,
    /// How long rows are kept, in nanoseconds of event time.
    pub(crate) ttl: i64,
}

impl Node {
    /// Its plans: one, none, or of a union several.
    pub(crate) fn plans(&self) -> Vec<&LogicalPlan> {
        match &self.kind {
            NodeKind::Unused | NodeKind::Source(_) => Vec::new(),
            NodeKind::Rows(plan) | NodeKind::PerTimestamp(plan) | NodeKind::Sink { rows: plan, .. } => vec![plan],
            NodeKind::Window(window) => vec![&window.plan],
            NodeKind::Join(join) => vec![&join.plan],
            NodeKind::Union(plans) => plans.iter().collect(),
        }
    }

    pub(crate) fn plans_mut(&mut self) -> Vec<&mut LogicalPlan> {
        match &mut self.kind {
            NodeKind::Unused | NodeKind::Source(_) => Vec::new(),
            NodeKind::Rows(plan) | NodeKind::PerTimestamp(plan) | NodeKind::Sink { rows: plan, .. } => vec![plan],
            NodeKind::Window(window) => vec![&mut window.plan],
            NodeKind::Join(join) => vec![&mut join.plan],
            NodeKind::Union(plans) => plans.iter_mut().collect(),
        }
    }
}

impl Graph {
    /// Adds an operator; its output columns are `fields`.
    pub(crate) fn add(
        &mut self,
        fields: Vec<(Option<TableReference>, FieldRef)>,
        window: Option<Window>,
        window_columns: Vec<usize>,
        kind: NodeKind<Logical>,
    ) -> NodeId {
        let schema = unique_schema(&fields);
        self.nodes.push(Node { fields, schema, window, window_columns, kind });
        self.nodes.len() - 1
    }

    /// Gives an operator other columns.
    pub(crate) fn set_fields(&mut self, id: NodeId, fields: Vec<(Option<TableReference>, FieldRef)>) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.schema = unique_schema(&fields);
            node.fields = fields;
        }
    }

    /// A plan that reads a node, with the columns named as queries know them; `qualifier` renames the table.
    pub(crate) fn scan(&self, id: NodeId, qualifier: Option<&TableReference>) -> Result<LogicalPlan> {
        let Some(node) = self.nodes.get(id) else { return datafusion::common::internal_err!("no node {id}") };
        let columns = node.schema.fields().iter().zip(&node.fields).map(|(unique, (own, field))| {
            Expr::Column(Column::new(Some(leaf_name(id)), unique.name()))
                .alias_qualified(qualifier.or(own.as_ref()).cloned(), field.name())
        });
        let columns: Vec<Expr> = columns.collect();
        leaf(id, &node.schema)?.project(columns)?.build()
    }
}

/// The scan of a node, with the columns as the node names them.
pub(crate) fn leaf(id: NodeId, schema: &SchemaRef) -> Result<LogicalPlanBuilder> {
    LogicalPlanBuilder::scan(leaf_name(id), Arc::new(Columns(Arc::clone(schema))), None)
}

/// The name of the table that a scan of a node reads.
pub(crate) fn leaf_name(id: NodeId) -> TableReference {
    TableReference::bare(format!("{NODE_PREFIX}{id}"))
}

/// The node that a table scan reads, when it is one of ours.
pub(crate) fn scanned_node(table: &TableReference) -> Option<NodeId> {
    table.table().strip_prefix(NODE_PREFIX)?.parse().ok()
}

/// Names columns uniquely: the outputs of a join may share names.
fn unique_schema(fields: &[(Option<TableReference>, FieldRef)]) -> SchemaRef {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut unique = Vec::with_capacity(fields.len());
    for (_, field) in fields {
        let count = seen.entry(field.name()).or_default();
        *count += 1;
        let name = if *count == 1 { field.name().clone() } else { format!("{}#{count}", field.name()) };
        unique.push(Field::clone(field).with_name(name));
    }
    Schema::new(unique).into()
}

/// The column of event time.
pub(crate) fn timestamp_field() -> (Option<TableReference>, FieldRef) {
    (None, Field::new(TIMESTAMP, time_type(), false).into())
}

/// The column of row numbers.
pub(crate) fn row_field() -> (Option<TableReference>, FieldRef) {
    (None, Field::new(ROW, DataType::UInt32, false).into())
}

/// What every source row carries besides its columns.
pub(crate) fn system_fields() -> [(Option<TableReference>, FieldRef); 2] {
    [timestamp_field(), row_field()]
}
