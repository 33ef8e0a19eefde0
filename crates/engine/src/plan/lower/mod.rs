//! From optimized logical plans to the graph: what stays a plan over rows, what becomes an operator, what Arroyo refuses.

mod aggregate;
pub(crate) mod columns;
pub(crate) mod graph;
mod join;
mod unnest;
mod windows;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, TableReference, not_impl_err, plan_err};
use datafusion::logical_expr::expr::{Alias, ScalarFunction, WindowFunction};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, Filter, LogicalPlan, LogicalPlanBuilder, SubqueryAlias, TableScan, Window as WindowPlan, lit,
};

use crate::plan::statements::catalog::{Catalog, Table};
use crate::program::{NodeId, NodeKind, ROW, TIMESTAMP, Window};
use columns::{ColumnKey, column_key, extract_column, qualified_fields, system_column};
use graph::Graph;
use windows::{refuse_window_calls, time_window_name};

/// Rows on their way: a plan whose leaves are nodes, and what is known of their windows.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) plan: LogicalPlan,
    /// The rows are results of this window, or combinations of such.
    pub(crate) window: Option<Window>,
    /// The columns that hold the window.
    pub(crate) window_columns: HashSet<ColumnKey>,
    /// The plan is nothing but a scan of this node.
    pub(crate) node: Option<NodeId>,
}

/// Lowers the plans of one program into its graph.
pub(crate) struct Lowering<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) graph: &'a mut Graph,
    /// Nodes of sources that are read already.
    pub(crate) sources: &'a mut std::collections::HashMap<String, NodeId>,
    /// Nanoseconds for which rows of un-windowed joins are kept.
    pub(crate) ttl: i64,
    /// The statement is a bare `SELECT`, which on Arroyo may be updating.
    pub(crate) anonymous: bool,
}

impl Lowering<'_> {
    pub(crate) fn lower(&mut self, plan: LogicalPlan) -> Result<Stream> {
        match plan {
            LogicalPlan::TableScan(scan) => self.lower_scan(&scan),
            LogicalPlan::Projection(projection) => {
                let input = self.lower(Arc::unwrap_or_clone(projection.input))?;
                lower_projection(input, projection.expr, &projection.schema)
            }
            LogicalPlan::Filter(filter) => {
                let input = self.lower(Arc::unwrap_or_clone(filter.input))?;
                let predicate = remove_window_null_checks(filter.predicate)?;
                unnest::refuse_elsewhere(std::slice::from_ref(&predicate))?;
                refuse_window_calls(std::slice::from_ref(&predicate))?;
                input.with_plan(|plan| Ok(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(plan))?)))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let input = self.lower(Arc::unwrap_or_clone(alias.input))?;
                lower_alias(input, alias.alias)
            }
            LogicalPlan::Aggregate(aggregate) => self.lower_aggregate(aggregate),
            LogicalPlan::Window(window) => self.lower_over(window),
            LogicalPlan::Join(join) => self.lower_join(join),
            LogicalPlan::Union(union) => self.lower_union(union),
            LogicalPlan::Sort(_) => plan_err!("ORDER BY is not currently supported"),
            LogicalPlan::Limit(_) => plan_err!("LIMIT is not currently supported"),
            LogicalPlan::Explain(_) => plan_err!("EXPLAIN is not supported"),
            LogicalPlan::RecursiveQuery(_) => plan_err!("Recursive CTEs are not supported"),
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
                plan_err!("a query must read a table: No timestamp field found in projection input")
            }
            other => plan_err!("Unsupported statement: {}", other.display()),
        }
    }

    fn lower_scan(&mut self, scan: &TableScan) -> Result<Stream> {
        let name = scan.table_name.table();
        let node = match self.catalog.get(name) {
            None => return plan_err!("Table {name} not found"),
            Some(Table::Sink(_)) => return plan_err!("cannot read from sink {name}"),
            Some(Table::Columns(_)) => return plan_err!("Table {name} not found"),
            Some(Table::Memory { node: None, .. }) => {
                return plan_err!("Can't query from memory table {name} without first inserting into it.");
            }
            Some(Table::Memory { node: Some(node), .. } | Table::View { node, .. }) => *node,
            Some(Table::Source(table)) => match self.sources.get(name) {
                Some(node) => *node,
                None => {
                    let mut fields: Vec<(Option<TableReference>, FieldRef)> =
                        table.schema().fields().iter().map(|f| (None, Arc::clone(f))).collect();
                    fields.extend(graph::system_fields());
                    let node = self.graph.add(fields, None, Vec::new(), NodeKind::Source(Arc::clone(table)));
                    self.sources.insert(name.to_owned(), node);
                    node
                }
            },
        };
        self.read_node(node, Some(&scan.table_name))
    }

    /// A stream of a node's rows.
    pub(crate) fn read_node(&self, id: NodeId, qualifier: Option<&TableReference>) -> Result<Stream> {
        let plan = self.graph.scan(id, qualifier)?;
        let Some(node) = self.graph.nodes.get(id) else { return datafusion::common::internal_err!("no node {id}") };
        let window_columns = node.window_columns.iter().map(|i| column_key(plan.schema(), *i)).collect();
        Ok(Stream { plan, window: node.window, window_columns, node: Some(id) })
    }

    /// Makes a stream's rows an operator's output, so that several can read them.
    pub(crate) fn materialise(&mut self, stream: Stream) -> NodeId {
        if let Some(node) = stream.node {
            return node;
        }
        let schema = Arc::clone(stream.plan.schema());
        let fields = qualified_fields(&schema);
        let window_columns =
            (0..fields.len()).filter(|i| stream.window_columns.contains(&column_key(&schema, *i))).collect();
        let kind = if needs_whole_timestamps(&stream.plan) {
            NodeKind::PerTimestamp(stream.plan)
        } else {
            NodeKind::Rows(stream.plan)
        };
        self.graph.add(fields, stream.window, window_columns, kind)
    }

    /// A stream that is computed row by row: what needs whole timestamps becomes an operator of its own.
    pub(crate) fn row_by_row(&mut self, stream: Stream) -> Result<Stream> {
        if stream.node.is_some() || !needs_whole_timestamps(&stream.plan) {
            return Ok(stream);
        }
        let node = self.materialise(stream);
        self.read_node(node, None)
    }

    /// A stream that combines rows, as an operator of its own: another statement may compute the same.
    pub(crate) fn part(&mut self, stream: Stream) -> Result<Stream> {
        let node = self.materialise(stream);
        self.graph.parts.insert(node);
        self.read_node(node, None)
    }

    fn lower_over(&mut self, window: WindowPlan) -> Result<Stream> {
        let input = self.lower(Arc::unwrap_or_clone(window.input))?;
        match input.window {
            None => return plan_err!("Window functions require already windowed input"),
            Some(Window::Session { .. }) => return plan_err!("Window functions do not support session windows"),
            Some(_) => {}
        }
        let [expression] = window.window_expr.as_slice() else {
            return plan_err!("Window functions require exactly one window expression");
        };
        let function = window_function(expression)?;
        let windows = function.params.partition_by.iter().filter(|e| is_window_column(e, &input));
        if windows.count() != 1 {
            return plan_err!("Window function requires exactly one window expression in partition_by");
        }
        // The partition holds the window, so all timestamps can be evaluated at once.
        let stream = input
            .with_plan(|plan| Ok(LogicalPlan::Window(WindowPlan::try_new(window.window_expr, Arc::new(plan))?)))?;
        self.part(stream)
    }

    fn lower_union(&mut self, union: datafusion::logical_expr::Union) -> Result<Stream> {
        let visible = union.schema.fields().len();
        let mut streams = Vec::with_capacity(union.inputs.len());
        for input in union.inputs {
            let stream = self.lower(Arc::unwrap_or_clone(input))?;
            streams.push(self.row_by_row(stream)?);
        }
        let window = streams.first().and_then(|s| s.window).filter(|w| streams.iter().all(|s| s.window == Some(*w)));
        let all_windowed = streams.iter().all(|s| s.window.is_some());
        let mut plans = Vec::with_capacity(streams.len());
        let mut window_columns: Vec<usize> = Vec::new();
        for (nth, stream) in streams.into_iter().enumerate() {
            let schema = Arc::clone(stream.plan.schema());
            if nth == 0 && window.is_some() {
                window_columns =
                    (0..visible).filter(|i| stream.window_columns.contains(&column_key(&schema, *i))).collect();
            }
            let mut columns: Vec<Expr> =
                (0..visible).map(|i| Expr::Column(Column::from(schema.qualified_field(i)))).collect();
            if !union.schema.has_column_with_unqualified_name(TIMESTAMP) {
                columns.push(system_column(&schema, TIMESTAMP)?);
            }
            if !all_windowed {
                columns.push(system_column(&schema, ROW).unwrap_or_else(|_| lit(0u32).alias(ROW)));
            }
            plans.push(LogicalPlanBuilder::from(stream.plan).project(columns)?.build()?);
        }
        let mut fields = qualified_fields(&union.schema);
        if !union.schema.has_column_with_unqualified_name(TIMESTAMP) {
            fields.push(graph::timestamp_field());
        }
        if !all_windowed {
            fields.push(graph::row_field());
        }
        let node = self.graph.add(fields, window, window_columns, NodeKind::Union(plans));
        self.read_node(node, None)
    }
}

impl Stream {
    /// Replaces the plan by one over it whose columns keep their names.
    pub(crate) fn with_plan(self, build: impl FnOnce(LogicalPlan) -> Result<LogicalPlan>) -> Result<Self> {
        Ok(Self { plan: build(self.plan)?, node: None, ..self })
    }
}

/// Whether the plan compares or combines rows, so that it may only see timestamps that are complete.
fn needs_whole_timestamps(plan: &LogicalPlan) -> bool {
    plan.exists(|p| Ok(matches!(p, LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Join(_))))
        .unwrap_or(true)
}

pub(crate) fn lower_projection(input: Stream, expressions: Vec<Expr>, original: &DFSchema) -> Result<Stream> {
    let input_schema = Arc::clone(input.plan.schema());
    let mut expressions =
        expressions.into_iter().map(|e| replace_row_time(e, &input_schema)).collect::<Result<Vec<_>>>()?;
    refuse_window_calls(&expressions)?;
    let has = |name: &str| original.has_column_with_unqualified_name(name);
    for name in [TIMESTAMP, ROW] {
        if !has(name) && (name == TIMESTAMP || input.window.is_none()) {
            if let Ok(column) = system_column(&input_schema, name) {
                expressions.push(column);
            } else if name == TIMESTAMP {
                return plan_err!("No timestamp field found in projection input");
            }
        }
    }
    let window_positions: Vec<usize> =
        expressions.iter().enumerate().filter(|(_, e)| is_window_column(e, &input)).map(|(i, _)| i).collect();
    let plan = unnest::project(expressions, input.plan)?;
    let window_columns = window_positions.into_iter().map(|i| column_key(plan.schema(), i)).collect();
    Ok(Stream { plan, window: input.window, window_columns, node: None })
}

fn lower_alias(input: Stream, alias: TableReference) -> Result<Stream> {
    let schema = Arc::clone(input.plan.schema());
    let positions: Vec<usize> =
        (0..schema.fields().len()).filter(|i| input.window_columns.contains(&column_key(&schema, *i))).collect();
    let mut stream =
        input.with_plan(|plan| Ok(LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(plan), alias)?)))?;
    stream.window_columns = positions.into_iter().map(|i| column_key(stream.plan.schema(), i)).collect();
    Ok(stream)
}

/// `row_time()` is the row's event time.
fn replace_row_time(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    expression
        .transform_down(|e| match &e {
            Expr::ScalarFunction(ScalarFunction { func, .. }) if func.name() == "row_time" => {
                Ok(Transformed::yes(system_column(schema, TIMESTAMP)?.alias("row_time()")))
            }
            _ => Ok(Transformed::no(e)),
        })
        .data()
}

/// Filters that the optimizer adds on windows before joins: a window is never null. What is then always true goes, because
/// a constant beside `AND` is not safe in this version of DataFusion.
fn remove_window_null_checks(predicate: Expr) -> Result<Expr> {
    let kept = split_conjunction_owned(predicate)
        .into_iter()
        .filter(|e| !matches!(e, Expr::IsNotNull(inner) if time_window_name(inner).is_some()));
    let Some(predicate) = conjunction(kept) else { return Ok(lit(true)) };
    predicate
        .transform_down(|e| match &e {
            Expr::IsNotNull(inner) if time_window_name(inner).is_some() => {
                Ok(Transformed::yes(Expr::Literal(ScalarValue::Boolean(Some(true)), None)))
            }
            _ => Ok(Transformed::no(e)),
        })
        .data()
}

fn window_function(expression: &Expr) -> Result<&WindowFunction> {
    match expression {
        Expr::Alias(Alias { expr, .. }) => window_function(expr),
        Expr::WindowFunction(function) => Ok(function),
        other => not_impl_err!("window expression {other}"),
    }
}

/// Whether an expression passes the input's window on.
pub(crate) fn is_window_column(expression: &Expr, input: &Stream) -> bool {
    let Some(column) = extract_column(expression) else { return false };
    let schema = input.plan.schema();
    schema.maybe_index_of_column(column).is_some_and(|i| input.window_columns.contains(&column_key(schema, i)))
}
