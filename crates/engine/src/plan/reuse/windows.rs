//! Windows over the same rows by the same keys: one operator that computes what each statement asks for.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, internal_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan, Operator, TableScan};

use super::canonical::substituted;
use crate::functions::FUNCTIONS;
use crate::plan::lower::graph::{Graph, LogicalWindow, leaf, leaf_name, scanned_node, timestamp_field};
use crate::program::{NodeId, NodeKind, Window};

/// Parts of expressions that a window's input may have once they are written over the columns of the operator that it reads.
/// Projections that name a part and use it several times would multiply it.
const MOST_PARTS: usize = 5_000;

/// A window, and the statements that share it.
#[derive(Debug)]
pub(super) struct SharedWindow {
    rows: Rows,
    /// Time and row number last, as in the operator's plan.
    groups: Vec<Expr>,
    window: Window,
    window_index: usize,
    aggregates: Vec<Expr>,
    /// How many aggregates the first of the members computes.
    own: usize,
    /// Whether no aggregate can fail for what a record holds.
    is_quiet: bool,
    /// The operators, the one that stays first, and where each of their aggregates is among all.
    members: Vec<(NodeId, Vec<usize>)>,
}

/// The rows that a window takes in.
#[derive(Debug, PartialEq)]
struct Rows {
    node: NodeId,
    /// In the order in which they are asked.
    conditions: Vec<Expr>,
}

impl SharedWindow {
    /// Of one statement; `None` where its input is not a chain of filters and projections, or gives other values each time.
    pub(super) fn of(id: NodeId, window: &LogicalWindow) -> Option<Self> {
        let LogicalPlan::Aggregate(aggregate) = &window.plan else { return None };
        let input = Chain::of(&aggregate.input)?;
        let groups = input.all(&aggregate.group_expr, &aggregate.input)?;
        let aggregates = input.all(&aggregate.aggr_expr, &aggregate.input)?;
        // A plan has no two columns of the same name: what names told apart must stay apart.
        if (1..groups.len()).any(|nth| groups.iter().take(nth).any(|group| Some(group) == groups.get(nth))) {
            return None;
        }
        let is_quiet = aggregates.iter().all(|aggregate| is_quiet_aggregate(aggregate, input.scan));
        let own = aggregates.len();
        let members = vec![(id, (0..own).collect())];
        let rows = Rows { node: input.node, conditions: input.conditions };
        let (window, window_index) = (window.window, window.window_index);
        Some(Self { rows, groups, window, window_index, aggregates, own, is_quiet, members })
    }

    /// The operator that stays.
    pub(super) fn id(&self) -> NodeId {
        self.members.first().map_or(NodeId::MAX, |(id, _)| *id)
    }

    /// Takes another statement's window in, if it may be shared.
    pub(super) fn take(&mut self, new: &Self) -> bool {
        let is_same = self.window == new.window
            && self.window_index == new.window_index
            && self.rows == new.rows
            && self.groups == new.groups;
        // What fails for one statement must not cost another a row that does not compute it.
        let may_share = || self.is_quiet && new.is_quiet || self.aggregates == new.aggregates;
        if !is_same || !may_share() {
            return false;
        }
        for (id, _) in &new.members {
            let mut places = Vec::with_capacity(new.aggregates.len());
            for aggregate in &new.aggregates {
                let place = self.aggregates.iter().position(|known| known == aggregate);
                places.push(place.unwrap_or_else(|| {
                    self.aggregates.push(aggregate.clone());
                    self.aggregates.len() - 1
                }));
            }
            self.members.push((*id, places));
        }
        true
    }

    /// Rewrites the operators. Returns those whose readers must read the first in their place, with the place of each column.
    pub(super) fn finish(self, graph: &mut Graph) -> Result<Vec<(NodeId, Vec<usize>)>> {
        // Time and row number are groups of the plan only, and the window is a column of the operator only.
        let leading = self.groups.len() - 1;
        let time = leading + self.aggregates.len();
        let grows = self.aggregates.len() > self.own;
        let moved = self.members.iter().skip(usize::from(!grows)).map(|(id, places)| {
            let places = places.iter().map(|place| leading + place);
            (*id, (0..leading).chain(places).chain([time]).collect())
        });
        let moved: Vec<(NodeId, Vec<usize>)> = moved.collect();
        if grows {
            self.grow(graph, leading)?;
        }
        for (id, _) in self.members.iter().skip(1) {
            if let Some(node) = graph.nodes.get_mut(*id) {
                node.kind = NodeKind::Unused;
            }
        }
        Ok(moved)
    }

    /// Gives the first operator every aggregate.
    fn grow(&self, graph: &mut Graph, leading: usize) -> Result<()> {
        let Some(mut fields) = graph.nodes.get(self.id()).map(|node| node.fields.clone()) else {
            return internal_err!("no node {}", self.id());
        };
        fields.truncate(leading + self.own);
        for place in self.own..self.aggregates.len() {
            let giver =
                self.members.iter().find_map(|(id, places)| Some((id, places.iter().position(|p| *p == place)?)));
            let field = giver.and_then(|(id, nth)| graph.nodes.get(*id)?.fields.get(leading + nth));
            let Some(field) = field else { return internal_err!("no column of a shared aggregate") };
            fields.push(field.clone());
        }
        fields.push(timestamp_field());
        let Some(schema) = graph.nodes.get(self.rows.node).map(|node| Arc::clone(&node.schema)) else {
            return internal_err!("no node {}", self.rows.node);
        };
        let mut input = leaf(self.rows.node, &schema)?.build()?;
        if let Some(condition) = conjunction(self.rows.conditions.iter().cloned()) {
            input = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(input))?);
        }
        let plan =
            LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), self.groups.clone(), self.aggregates.clone())?);
        graph.set_fields(self.id(), fields);
        if let Some(NodeKind::Window(window)) = graph.nodes.get_mut(self.id()).map(|node| &mut node.kind) {
            window.plan = plan;
        }
        Ok(())
    }
}

/// Filters and projections over one operator's rows, written over that operator's own columns.
struct Chain<'a> {
    node: NodeId,
    scan: &'a TableScan,
    conditions: Vec<Expr>,
    columns: Vec<Expr>,
}

impl<'a> Chain<'a> {
    fn of(plan: &'a LogicalPlan) -> Option<Self> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let node = scanned_node(&scan.table_name)?;
                if !scan.filters.is_empty() || scan.fetch.is_some() || scan.projection.is_some() {
                    return None;
                }
                let column = |name: &str| Expr::Column(Column::new(Some(leaf_name(node)), name));
                let columns = scan.source.schema().fields().iter().map(|field| column(field.name())).collect();
                Some(Self { node, scan, conditions: Vec::new(), columns })
            }
            LogicalPlan::SubqueryAlias(alias) => Self::of(&alias.input),
            LogicalPlan::Projection(projection) => {
                let mut input = Self::of(&projection.input)?;
                input.columns = input.all(&projection.expr, &projection.input)?;
                Some(input)
            }
            LogicalPlan::Filter(filter) => {
                let mut input = Self::of(&filter.input)?;
                for condition in split_conjunction(&filter.predicate) {
                    let condition = input.one(condition, &filter.input)?;
                    input.conditions.push(condition);
                }
                Some(input)
            }
            _ => None,
        }
    }

    fn one(&self, expression: &Expr, over: &LogicalPlan) -> Option<Expr> {
        substituted(expression, &|column| self.columns.get(over.schema().maybe_index_of_column(column)?).cloned())
    }

    fn all(&self, expressions: &[Expr], over: &LogicalPlan) -> Option<Vec<Expr>> {
        let all: Vec<Expr> = expressions.iter().map(|e| self.one(e, over)).collect::<Option<_>>()?;
        let parts: usize = all.iter().map(parts).sum();
        (parts <= MOST_PARTS).then_some(all)
    }
}

/// How many parts an expression has.
fn parts(expression: &Expr) -> usize {
    let mut parts = 0;
    let counted = expression.apply(|_| {
        parts += 1;
        Ok(TreeNodeRecursion::Continue)
    });
    if counted.is_ok() { parts } else { usize::MAX }
}

/// Whether an aggregate cannot fail, whatever the rows hold: one of the dialect's own, over columns, literals and comparisons
/// that are no decimals.
fn is_quiet_aggregate(aggregate: &Expr, scan: &TableScan) -> bool {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = aggregate else { return false };
    let mut parts = params.args.iter().chain(params.filter.as_deref());
    let mut orders = params.order_by.iter().flatten();
    FUNCTIONS.aggregate.contains_key(func.name())
        && parts.all(|part| is_quiet(part, scan))
        && orders.all(|order| is_quiet(&order.expr, scan))
}

fn is_quiet(expression: &Expr, scan: &TableScan) -> bool {
    match expression {
        Expr::Column(column) => {
            let schema = scan.source.schema();
            schema.field_with_name(&column.name).is_ok_and(|field| !is_decimal(field.data_type()))
        }
        Expr::Literal(value, _) => !is_decimal(&value.data_type()),
        Expr::Not(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner) => is_quiet(inner, scan),
        Expr::BinaryExpr(binary) => {
            is_comparison(binary.op) && is_quiet(&binary.left, scan) && is_quiet(&binary.right, scan)
        }
        _ => false,
    }
}

fn is_comparison(operator: Operator) -> bool {
    use Operator::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or};
    matches!(operator, And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}
