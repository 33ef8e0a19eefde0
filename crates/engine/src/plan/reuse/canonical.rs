//! Plans by what they compute: names, aliases and projections that only choose columns are gone, so that equal work is equal.

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::plan::lower::columns::extract_column;
use crate::plan::lower::graph::scanned_node;
use crate::program::NodeId;

/// What a plan computes, and where its output's columns are in that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Canonical {
    pub(super) core: Core,
    /// The output's columns, by their place in the core's.
    pub(super) columns: Vec<usize>,
}

/// Work, with columns by position. Two that are equal give the same rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Core {
    Scan { node: NodeId, width: usize },
    Project(Vec<Expr>, Box<Core>),
    Filter(Expr, Box<Core>),
    Aggregate { groups: Vec<Expr>, aggregates: Vec<Expr>, input: Box<Core> },
    Over(Vec<Expr>, Box<Core>),
    Join(Box<JoinCore>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct JoinCore {
    left: Core,
    right: Core,
    on: Vec<(Expr, Expr)>,
    filter: Option<Expr>,
    join_type: JoinType,
    nulls_are_equal: bool,
}

/// A plan's canonical form; `None` for what is never shared: an `unnest`, and functions that give another value each time.
pub(super) fn canonical(plan: &LogicalPlan) -> Option<Canonical> {
    let whole = |core, width| Canonical { core, columns: (0..width).collect() };
    Some(match plan {
        LogicalPlan::TableScan(scan) => {
            let node = scanned_node(&scan.table_name)?;
            if !scan.filters.is_empty() || scan.fetch.is_some() {
                return None;
            }
            let all = scan.source.schema().fields().len();
            let columns = scan.projection.clone().unwrap_or_else(|| (0..all).collect());
            Canonical { core: Core::Scan { node, width: all }, columns }
        }
        LogicalPlan::SubqueryAlias(alias) => canonical(&alias.input)?,
        LogicalPlan::Projection(projection) => {
            let input = canonical(&projection.input)?;
            let schema = projection.input.schema();
            let chosen = |e| input.columns.get(schema.maybe_index_of_column(extract_column(e)?)?).copied();
            match projection.expr.iter().map(chosen).collect() {
                Some(columns) => Canonical { columns, ..input },
                None => {
                    let expressions = input.all(&projection.expr, schema)?;
                    whole(Core::Project(expressions, Box::new(input.core)), projection.expr.len())
                }
            }
        }
        LogicalPlan::Filter(filter) => {
            let input = canonical(&filter.input)?;
            let condition = input.one(&filter.predicate, filter.input.schema())?;
            Canonical { core: Core::Filter(condition, Box::new(input.core)), columns: input.columns }
        }
        LogicalPlan::Aggregate(aggregate) => {
            let input = canonical(&aggregate.input)?;
            let schema = aggregate.input.schema();
            let groups = input.all(&aggregate.group_expr, schema)?;
            let aggregates = input.all(&aggregate.aggr_expr, schema)?;
            let width = groups.len() + aggregates.len();
            whole(Core::Aggregate { groups, aggregates, input: Box::new(input.core) }, width)
        }
        LogicalPlan::Window(window) => {
            let input = canonical(&window.input)?;
            let called = input.all(&window.window_expr, window.input.schema())?;
            let width = input.core.width();
            let columns = input.columns.iter().copied().chain(width..width + called.len()).collect();
            Canonical { core: Core::Over(called, Box::new(input.core)), columns }
        }
        LogicalPlan::Join(join) => {
            let keeps_both =
                matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full);
            let (left, right) = (canonical(&join.left)?, canonical(&join.right)?);
            if !keeps_both {
                return None;
            }
            let width = left.core.width();
            let on =
                |(l, r): &(Expr, Expr)| Some((left.one(l, join.left.schema())?, right.one(r, join.right.schema())?));
            let on = join.on.iter().map(on).collect::<Option<_>>()?;
            let columns: Vec<usize> =
                left.columns.iter().copied().chain(right.columns.iter().map(|c| c + width)).collect();
            let filter = match &join.filter {
                Some(filter) => Some(positional(filter, &join.schema, &columns)?),
                None => None,
            };
            let (join_type, nulls_are_equal) = (join.join_type, join.null_equals_null);
            let join = JoinCore { left: left.core, right: right.core, on, filter, join_type, nulls_are_equal };
            Canonical { core: Core::Join(Box::new(join)), columns }
        }
        _ => return None,
    })
}

impl Canonical {
    /// An expression over the plan, as one over the core.
    pub(super) fn one(&self, expression: &Expr, schema: &DFSchema) -> Option<Expr> {
        positional(expression, schema, &self.columns)
    }

    pub(super) fn all(&self, expressions: &[Expr], schema: &DFSchema) -> Option<Vec<Expr>> {
        expressions.iter().map(|e| self.one(e, schema)).collect()
    }
}

impl Core {
    fn width(&self) -> usize {
        match self {
            Self::Scan { width, .. } => *width,
            Self::Project(expressions, _) => expressions.len(),
            Self::Filter(_, input) => input.width(),
            Self::Aggregate { groups, aggregates, .. } => groups.len() + aggregates.len(),
            Self::Over(called, input) => input.width() + called.len(),
            Self::Join(join) => join.left.width() + join.right.width(),
        }
    }
}

/// An expression without names: a column is its place, an alias is what it names.
fn positional(expression: &Expr, schema: &DFSchema, columns: &[usize]) -> Option<Expr> {
    let place = |column: &Column| {
        let place = columns.get(schema.maybe_index_of_column(column)?)?;
        Some(Expr::Column(Column::new_unqualified(format!("#{place}"))))
    };
    substituted(expression, &place)
}

/// An expression with other expressions in place of its columns, and without aliases; `None` where it cannot be shared.
pub(super) fn substituted(expression: &Expr, place: &dyn Fn(&Column) -> Option<Expr>) -> Option<Expr> {
    if expression.is_volatile() {
        return None;
    }
    let mut is_known = true;
    let rewritten = expression.clone().transform_up(|e| {
        Ok(match e {
            Expr::Alias(alias) => Transformed::yes(*alias.expr),
            Expr::Column(column) => match place(&column) {
                Some(there) => Transformed::yes(there),
                None => {
                    is_known = false;
                    Transformed::no(Expr::Column(column))
                }
            },
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::OuterReferenceColumn(..) => {
                is_known = false;
                Transformed::no(e)
            }
            other => Transformed::no(other),
        })
    });
    rewritten.data().ok().filter(|_| is_known)
}
