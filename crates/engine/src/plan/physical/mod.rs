//! Makes the pruned graph runnable: every operator gets its physical expressions, from producer to consumer.

mod frames;
mod join_keys;
mod prune;

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError, Result, TableReference, internal_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::ExecutionProps;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner, create_aggregate_expr_and_maybe_filter};
use datafusion::prelude::SessionConfig;
use futures::executor::block_on;

use self::frames::check_frames;
use crate::functions::{FUNCTIONS, with_timestamp_offsets};
use crate::plan::lower::graph::{ARRIVAL, Graph, Logical, LogicalJoin, LogicalWindow, WATERMARK, scanned_node};
use crate::plan::statements::catalog::Columns;
use crate::plan::statements::optimize::optimize_operator;
use crate::plan::statements::table::{ConnectorTable, FieldSpec, WatermarkSpec, time_type};
use crate::program::{
    AggregateSpec, JoinSpec, NodeId, NodeKind, NodeTable, Operator, PerTimestampSpec, ROW, RowExpressions, RowStep,
    RowSteps, SourceSpec, SourceWatermark, TIMESTAMP, TableInfo, WindowSpec, check_partitions, has_stateful_nodes,
};
use join_keys::join_keys;
use prune::{Positions, Pruned, prune, scans};

/// DataFusion's physical planner with its default rules, on one partition.
static SESSION: LazyLock<SessionState> = LazyLock::new(|| {
    let config = SessionConfig::new().with_target_partitions(1);
    SessionStateBuilder::new().with_config(config).with_default_features().build()
});

/// What is wrong with a program that was planned, and with which of its operators.
#[derive(Debug)]
pub(crate) struct OperatorFault {
    pub(crate) node: NodeId,
    pub(crate) error: DataFusionError,
}

/// Builds the operators of a program, and the tables that its sources read.
pub(crate) fn build(
    graph: Graph,
    now: DateTime<Utc>,
) -> std::result::Result<(Vec<Operator>, Vec<TableInfo>), OperatorFault> {
    let counts = graph.counts.clone();
    let Pruned { nodes, positions, outputs } = prune(graph, now)?;
    let mut builder = Builder { positions, outputs, sources: Vec::new(), now };
    let mut operators = Vec::with_capacity(nodes.len());
    for (id, node) in nodes.into_iter().enumerate() {
        let fault = |error| OperatorFault { node: id, error };
        let mut operator = builder.build(id, node).map_err(fault)?;
        if let Some(column) = counts.get(&id).filter(|_| matches!(operator.kind, NodeKind::Rows(_))) {
            operator.count = builder.positions_of(id, &[*column]).map_err(fault)?.first().copied();
        }
        operators.push(operator);
    }
    Ok((operators, builder.sources))
}

struct Builder {
    /// Where a node's columns are after pruning.
    positions: Vec<Positions>,
    /// Each node's columns after pruning.
    outputs: Vec<SchemaRef>,
    sources: Vec<TableInfo>,
    now: DateTime<Utc>,
}

impl Builder {
    fn build(&mut self, id: NodeId, node: NodeKind<Logical>) -> Result<Operator> {
        let schema = self.outputs.get(id).cloned().unwrap_or_else(|| Schema::empty().into());
        let kind = match node {
            NodeKind::Unused => NodeKind::Unused,
            NodeKind::Source(table) => {
                let (spec, schema) = self.source(&table, &schema)?;
                return Ok(Operator { schema, count: None, kind: NodeKind::Source(spec) });
            }
            NodeKind::Rows(plan) => NodeKind::Rows(self.rows(plan)?),
            NodeKind::Sink { rows, sink } => {
                let rows = self.rows(rows)?;
                return Ok(Operator { schema: rows.schema(), count: None, kind: NodeKind::Sink { rows, sink } });
            }
            NodeKind::Union(plans) => NodeKind::Union(plans.into_iter().map(|p| self.rows(p)).collect::<Result<_>>()?),
            NodeKind::PerTimestamp(plan) => {
                let inputs = scans(&plan)?;
                let plan = self.physical(plan)?;
                let stateful = has_stateful_nodes(&plan);
                NodeKind::PerTimestamp(PerTimestampSpec { inputs, plan, stateful })
            }
            NodeKind::Join(LogicalJoin { plan, left, right, ttl }) => {
                let plan = self.physical(plan)?;
                let keys = join_keys(&plan, left, right)?;
                NodeKind::Join(JoinSpec { left, right, ttl, plan, keys })
            }
            NodeKind::Window(window) => NodeKind::Window(self.window(window, &schema)?),
        };
        Ok(Operator { schema, count: None, kind })
    }

    fn source(&mut self, table: &Arc<ConnectorTable>, kept: &SchemaRef) -> Result<(SourceSpec, SchemaRef)> {
        let name = TableReference::bare(table.info.name.clone());
        let physical = table.physical_schema();
        let mut record: Vec<Field> = physical.fields().iter().map(|f| Field::clone(f)).collect();
        record.push(Field::new(ARRIVAL, time_type(), true));
        record.push(Field::new(ROW, DataType::UInt32, false));
        let record: SchemaRef = Schema::new(record).into();
        let column = |c: &str| Expr::Column(Column::new(Some(name.clone()), c));
        let value = |field: &FieldSpec| match field {
            FieldSpec::Physical(f) => column(f.name()),
            FieldSpec::Generated { expression, .. } => expression.clone(),
        };
        let find = |wanted: &str| table.fields.iter().find(|f| f.field().name() == wanted);
        let mut output = Vec::new();
        for field in kept.fields() {
            output.push(
                match field.name().as_str() {
                    TIMESTAMP => match table.event_time.as_deref().and_then(find) {
                        Some(field) => datafusion::prelude::cast(value(field), time_type()),
                        None => column(ARRIVAL),
                    },
                    ROW => column(ROW),
                    other => match find(other) {
                        Some(field) => value(field),
                        None => return internal_err!("no column {other} in {}", table.info.name),
                    },
                }
                .alias(field.name()),
            );
        }
        let watermark = match &table.watermark {
            WatermarkSpec::Lateness(nanos) => SourceWatermark::Lateness(*nanos),
            WatermarkSpec::Expression(expression) => {
                output.push(datafusion::prelude::cast(expression.as_ref().clone(), time_type()).alias(WATERMARK));
                SourceWatermark::Column(output.len() - 1)
            }
        };
        let source = Arc::new(Columns(Arc::clone(&record)));
        let plan = LogicalPlanBuilder::scan(name, source, None)?.project(output)?.build()?;
        let plan = optimize_operator(plan, self.now)?;
        let mut rows = self.chain(&plan, 0)?;
        rows.input = NodeId::MAX;
        let index = self.sources.len();
        self.sources.push(table.info.clone());
        let time = kept.index_of(TIMESTAMP)?;
        Ok((SourceSpec { index, record, rows, time, watermark }, Arc::clone(kept)))
    }

    fn window(&self, node: LogicalWindow, schema: &SchemaRef) -> Result<WindowSpec> {
        let LogicalWindow { plan, window, window_index } = node;
        // Pruning may have put projections above the aggregate; its own columns all stay, so they only pass through.
        let aggregate = innermost_aggregate(plan)?;
        let input_schema = Arc::clone(aggregate.input.schema());
        let rows = self.rows(Arc::unwrap_or_clone(aggregate.input))?;
        let props = ExecutionProps::new();
        let mut keys = aggregate
            .group_expr
            .iter()
            .map(|e| create_physical_expr(e, &input_schema, &props))
            .collect::<Result<Vec<_>>>()?;
        let (Some(row), Some(time)) = (keys.pop(), keys.pop()) else { return internal_err!("a window without time") };
        let physical_schema = input_schema.as_arrow();
        let mut aggregates = Vec::with_capacity(aggregate.aggr_expr.len());
        for expression in &aggregate.aggr_expr {
            let (function, filter, _) =
                create_aggregate_expr_and_maybe_filter(expression, &input_schema, physical_schema, &props)?;
            let name = function.fun().name();
            let decimal = matches!(function.field().data_type(), DataType::Decimal128(..) | DataType::Decimal256(..));
            let may_fail = !FUNCTIONS.aggregate.contains_key(name) || (name == "avg" && decimal);
            aggregates.push(AggregateSpec::new(function, filter, may_fail)?);
        }
        WindowSpec::new(rows, keys, time, row, aggregates, window, window_index, Arc::clone(schema))
    }

    /// A plan over rows of one node.
    fn rows(&self, plan: LogicalPlan) -> Result<RowExpressions> {
        let inputs = scans(&plan)?;
        let [input] = inputs.as_slice() else {
            return internal_err!("a stateless operator reads {} inputs", inputs.len());
        };
        if is_chain(&plan) {
            return self.chain(&plan, *input);
        }
        let schema: SchemaRef = Arc::clone(plan.schema().inner());
        let plan = self.physical(plan)?;
        let input_schema = self.outputs.get(*input).cloned().unwrap_or_else(|| Schema::empty().into());
        Ok(RowExpressions {
            input: *input,
            columns: (0..input_schema.fields().len()).collect(),
            steps: RowSteps::Plan(plan),
            schema,
        })
    }

    /// A plan of projections and filters, as expressions.
    fn chain(&self, plan: &LogicalPlan, input: NodeId) -> Result<RowExpressions> {
        let props = ExecutionProps::new();
        match plan {
            LogicalPlan::TableScan(scan) => {
                let all = scan.source.schema().fields().len();
                let read = scan.projection.clone().unwrap_or_else(|| (0..all).collect());
                let columns = match scanned_node(&scan.table_name) {
                    Some(id) => self.positions_of(id, &read)?,
                    None => read,
                };
                Ok(RowExpressions {
                    input,
                    columns,
                    steps: RowSteps::Chain(Vec::new()),
                    schema: Arc::clone(plan.schema().inner()),
                })
            }
            LogicalPlan::SubqueryAlias(alias) => self.chain(&alias.input, input),
            LogicalPlan::Filter(filter) => {
                let mut rows = self.chain(&filter.input, input)?;
                let conditions = split_conjunction(&filter.predicate)
                    .into_iter()
                    .map(|condition| create_physical_expr(condition, filter.input.schema(), &props))
                    .collect::<Result<Vec<_>>>()?;
                let input = Arc::clone(&rows.schema);
                push_step(&mut rows, RowStep::Filter(conditions), &input)?;
                Ok(rows)
            }
            LogicalPlan::Projection(projection) => {
                let mut rows = self.chain(&projection.input, input)?;
                let expressions = projection
                    .expr
                    .iter()
                    .map(|e| create_physical_expr(e, projection.input.schema(), &props))
                    .collect::<Result<Vec<_>>>()?;
                let schema = physical_schema(&expressions, &projection.schema, rows.schema.as_ref())?;
                let input = std::mem::replace(&mut rows.schema, Arc::clone(&schema));
                push_step(&mut rows, RowStep::Project { expressions, schema }, &input)?;
                Ok(rows)
            }
            other => internal_err!("not a chain: {}", other.display()),
        }
    }

    fn positions_of(&self, id: NodeId, columns: &[usize]) -> Result<Vec<usize>> {
        let Some(positions) = self.positions.get(id) else { return internal_err!("no node {id}") };
        columns
            .iter()
            .map(|c| positions.get(c).copied().map_or_else(|| internal_err!("column {c} of node {id} was pruned"), Ok))
            .collect()
    }

    /// A DataFusion physical plan whose leaves take the batches that the engine hands in.
    fn physical(&self, plan: LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = plan
            .transform_up(|p| match p {
                LogicalPlan::TableScan(mut scan) => {
                    let Some(id) = scanned_node(&scan.table_name) else {
                        return internal_err!("scan of {}", scan.table_name);
                    };
                    let positions = self.positions.get(id).cloned().unwrap_or_default();
                    let schema = scan.source.schema();
                    scan.source = provider_as_source(Arc::new(NodeTable { node: id, schema, positions }));
                    Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
                }
                other => Ok(Transformed::no(other)),
            })
            .data()?;
        let plan = block_on(DefaultPhysicalPlanner::default().create_physical_plan(&plan, &SESSION))?;
        check_partitions(&plan)?;
        check_frames(&plan)?;
        Ok(plan)
    }
}

/// Adds a step, in the form that is quickest to evaluate; `input` is what the step reads.
fn push_step(rows: &mut RowExpressions, step: RowStep, input: &Schema) -> Result<()> {
    let quick = |expressions: Vec<Arc<dyn PhysicalExpr>>| {
        expressions.into_iter().map(|e| with_timestamp_offsets(e, input)).collect::<Result<Vec<_>>>()
    };
    let step = match step {
        RowStep::Filter(conditions) => RowStep::Filter(quick(conditions)?),
        RowStep::Project { expressions, schema } => RowStep::Project { expressions: quick(expressions)?, schema },
    };
    if let RowSteps::Chain(steps) = &mut rows.steps {
        steps.push(step);
    }
    Ok(())
}

/// The output of expressions: names from the plan, types and nullability from the expressions themselves.
fn physical_schema(expressions: &[Arc<dyn PhysicalExpr>], logical: &DFSchema, input: &Schema) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(expressions.len());
    for (expression, field) in expressions.iter().zip(logical.fields()) {
        let typed = Field::new(field.name(), expression.data_type(input)?, expression.nullable(input)?);
        fields.push(typed.with_metadata(field.metadata().clone()));
    }
    Ok(Schema::new(fields).into())
}

fn is_chain(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::Projection(p) => is_chain(&p.input),
        LogicalPlan::Filter(f) => is_chain(&f.input),
        LogicalPlan::SubqueryAlias(a) => is_chain(&a.input),
        _ => false,
    }
}

fn innermost_aggregate(plan: LogicalPlan) -> Result<Aggregate> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Ok(aggregate),
        LogicalPlan::Projection(p) => innermost_aggregate(Arc::unwrap_or_clone(p.input)),
        other => internal_err!("expected an aggregate, found {}", other.display()),
    }
}
