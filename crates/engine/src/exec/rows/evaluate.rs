//! Runs a DataFusion plan over batches that the engine hands in.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionConfig;
use futures::executor::block_on;
use tokio::runtime::{Builder, Runtime};

use crate::program::{InputExec, NodeId, PlanInputs, reset_stateful_nodes};

/// Where plans run. DataFusion gives parts of a plan (of a sort) to other tasks where the runtime has several threads; such
/// a task may wait on the very thread that waits for it. On a runtime of one thread it does not.
static ONE_THREAD: LazyLock<Option<Runtime>> = LazyLock::new(|| Builder::new_current_thread().build().ok());

/// What plans run with. It holds nothing of a run, and is expensive to make.
static CONTEXT: LazyLock<Arc<TaskContext>> = LazyLock::new(|| {
    let config = SessionConfig::new().with_target_partitions(1);
    let (functions, aggregates, windows) = (HashMap::new(), HashMap::new(), HashMap::new());
    let runtime = Arc::new(RuntimeEnv::default());
    Arc::new(TaskContext::new(None, "weir".to_owned(), config, functions, aggregates, windows, runtime))
});

/// Every run of a node adds to its counters: after so many, all nodes are made anew.
const RUNS: usize = 256;

/// A plan that is run again and again, with inputs of its own.
#[derive(Debug)]
pub(crate) struct Evaluator {
    plan: Arc<dyn ExecutionPlan>,
    inputs: PlanInputs,
    /// Whether a node keeps what it reads.
    stateful: bool,
    runs: usize,
}

impl Evaluator {
    /// The plan may be shared; what is run is a copy. `stateful` says whether one of its nodes keeps what it reads.
    pub(crate) fn new(plan: &Arc<dyn ExecutionPlan>, stateful: bool) -> Result<Self> {
        let inputs = PlanInputs::default();
        Ok(Self { plan: copy(plan, &inputs)?, inputs, stateful, runs: 0 })
    }

    /// Runs the plan over the given batches of its inputs.
    pub(crate) fn run(&mut self, inputs: &[(NodeId, Vec<RecordBatch>)]) -> Result<Vec<RecordBatch>> {
        if self.runs == RUNS {
            (self.plan, self.runs) = (copy(&self.plan, &self.inputs)?, 0);
        }
        self.runs += 1;
        let reset = if self.stateful { reset_stateful_nodes(&self.plan)? } else { None };
        let plan = reset.unwrap_or_else(|| Arc::clone(&self.plan));
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
    // A copy that was never run holds nothing.
    Evaluator::new(plan, false)?.run(inputs)
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
