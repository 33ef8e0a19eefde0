//! Runs a DataFusion plan over batches that the engine hands in.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, not_impl_err};
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionConfig;
use futures::executor::block_on;
use tokio::runtime::{Builder, Runtime};

use crate::program::{InputExec, NodeId, PlanInputs};

/// Where plans run. DataFusion gives parts of a plan (of a sort) to other tasks where the runtime has several threads; such
/// a task may wait on the very thread that waits for it. On a runtime of one thread it does not.
static ONE_THREAD: LazyLock<Option<Runtime>> = LazyLock::new(|| Builder::new_current_thread().build().ok());

/// What plans run with. It holds nothing of a run, and is dear to make.
static CONTEXT: LazyLock<Arc<TaskContext>> = LazyLock::new(|| {
    let config = SessionConfig::new().with_target_partitions(1);
    let (functions, aggregates, windows) = (HashMap::new(), HashMap::new(), HashMap::new());
    let runtime = Arc::new(RuntimeEnv::default());
    Arc::new(TaskContext::new(None, "weir".to_owned(), config, functions, aggregates, windows, runtime))
});

/// Every run of a node adds to its counters: after so many, all nodes are made anew.
const RUNS: usize = 256;

/// The nodes that keep nothing of what they read. Others (joins keep their build side) are made anew for every run. Nodes that
/// bring partitions together are none of them: a plan has one ([`check_partitions`]).
const STATELESS_NODES: [&str; 10] = [
    "AggregateExec",
    "BoundedWindowAggExec",
    "CoalesceBatchesExec",
    "FilterExec",
    "InputExec",
    "PlaceholderRowExec",
    "ProjectionExec",
    "SortExec",
    "UnnestExec",
    "WindowAggExec",
];

/// Refuses a plan of which a node has several partitions. DataFusion would read them on tasks of their own, and nobody drives the
/// runtime that such tasks are given to: the plan would wait for ever.
pub(crate) fn check_partitions(plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    plan.apply(|node| {
        let partitions = node.properties().output_partitioning().partition_count();
        if partitions == 1 {
            return Ok(TreeNodeRecursion::Continue);
        }
        not_impl_err!("the plan reads {partitions} partitions at once ({})", node.name())
    })?;
    Ok(())
}

/// A plan that is run again and again, with inputs of its own.
#[derive(Debug)]
pub(crate) struct Evaluator {
    plan: Arc<dyn ExecutionPlan>,
    inputs: PlanInputs,
    runs: usize,
}

impl Evaluator {
    /// The plan may be shared; what is run is a copy.
    pub(crate) fn new(plan: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        let inputs = PlanInputs::default();
        Ok(Self { plan: copy(plan, &inputs)?, inputs, runs: 0 })
    }

    /// Runs the plan over the given batches of its inputs.
    pub(crate) fn run(&mut self, inputs: &[(NodeId, Vec<RecordBatch>)]) -> Result<Vec<RecordBatch>> {
        if self.runs == RUNS {
            (self.plan, self.runs) = (copy(&self.plan, &self.inputs)?, 0);
        }
        self.runs += 1;
        let plan = reset_stateful_nodes(&self.plan)?.unwrap_or_else(|| Arc::clone(&self.plan));
        self.inputs.set(inputs.iter().cloned().collect());
        let _guard = ONE_THREAD.as_ref().map(Runtime::enter);
        // The operator's task does not yield meanwhile: Tokio's budget of one poll must not starve the plan's own channels.
        let output = block_on(tokio::task::unconstrained(collect(plan, Arc::clone(&CONTEXT))));
        self.inputs.set(HashMap::new());
        output
    }
}

/// Runs a plan once.
pub(crate) fn evaluate(
    plan: &Arc<dyn ExecutionPlan>,
    inputs: &[(NodeId, Vec<RecordBatch>)],
) -> Result<Vec<RecordBatch>> {
    Evaluator::new(plan)?.run(inputs)
}

/// A copy of all nodes that reads these inputs.
fn copy(plan: &Arc<dyn ExecutionPlan>, inputs: &PlanInputs) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan)
        .transform_up(|node| {
            if let Some(input) = node.as_any().downcast_ref::<InputExec>() {
                return Ok(Transformed::yes(Arc::new(input.reading(inputs))));
            }
            let children: Vec<_> = node.children().into_iter().map(Arc::clone).collect();
            if children.is_empty() {
                Ok(Transformed::no(node))
            } else {
                node.with_new_children(children).map(Transformed::yes)
            }
        })
        .data()
}

/// A copy of the nodes that keep what they read, and of what is above them; `None` where there are none.
fn reset_stateful_nodes(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let mut renewed = !STATELESS_NODES.contains(&plan.name());
    let mut children = Vec::new();
    for child in plan.children() {
        let copied = reset_stateful_nodes(child)?;
        renewed |= copied.is_some();
        children.push(copied.unwrap_or_else(|| Arc::clone(child)));
    }
    if renewed && !children.is_empty() { Arc::clone(plan).with_new_children(children).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow::array::Int64Array;
    use datafusion::datasource::MemTable;
    use datafusion::physical_plan::union::UnionExec;
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn plan(sql: &str) -> Arc<dyn ExecutionPlan> {
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        let batch = RecordBatch::try_from_iter([("k", Arc::new(Int64Array::from(vec![1, 2])) as _)]).unwrap();
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        context.register_table("t", Arc::new(table)).unwrap();
        context.sql(sql).await.unwrap().create_physical_plan().await.unwrap()
    }

    fn names(plan: &Arc<dyn ExecutionPlan>, found: &mut BTreeSet<String>) {
        found.insert(plan.name().to_owned());
        plan.children().into_iter().for_each(|child| names(child, found));
    }

    /// An operator that DataFusion calls otherwise one day would be remade for every run, in silence.
    #[tokio::test]
    async fn every_node_without_memory_is_one_that_datafusion_has() {
        let mut found = BTreeSet::from(["InputExec".to_owned()]);
        for sql in [
            "SELECT 1",
            "SELECT k + 1 FROM t WHERE k > 1 ORDER BY k",
            "SELECT sum(n) FROM (SELECT k, count(*) AS n FROM t GROUP BY k)",
            "SELECT row_number() OVER (ORDER BY k), sum(k) OVER (ORDER BY k) FROM t",
            "SELECT sum(k) OVER () FROM t",
            "SELECT unnest(make_array(k, k)) FROM t WHERE k > 1",
        ] {
            names(&plan(sql).await, &mut found);
        }
        let missing: Vec<_> = STATELESS_NODES.iter().filter(|name| !found.contains(**name)).collect();
        assert!(missing.is_empty(), "{missing:?} of {found:?}");
    }

    #[tokio::test]
    async fn a_plan_with_a_second_partition_is_refused() {
        let one = plan("SELECT k FROM t").await;
        check_partitions(&one).unwrap();
        let two: Arc<dyn ExecutionPlan> = Arc::new(UnionExec::new(vec![Arc::clone(&one), one]));
        assert!(check_partitions(&two).unwrap_err().to_string().contains("2 partitions"));
    }
}
