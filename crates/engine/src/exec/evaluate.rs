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

use crate::program::{Inputs, NodeId};

/// Where plans run. DataFusion gives parts of a plan (of a sort) to other tasks where the runtime has several threads; such
/// a task may wait on the very thread that waits for it. On a runtime of one thread it does not.
static ONE_THREAD: LazyLock<Option<Runtime>> = LazyLock::new(|| Builder::new_current_thread().build().ok());

/// Runs a plan over the given batches of its inputs.
pub(crate) fn evaluate(
    plan: &Arc<dyn ExecutionPlan>,
    inputs: &[(NodeId, Vec<RecordBatch>)],
) -> Result<Vec<RecordBatch>> {
    let inputs: Inputs = Inputs(inputs.iter().cloned().collect());
    let config = SessionConfig::new().with_target_partitions(1).with_extension(Arc::new(inputs));
    let context = TaskContext::new(
        None,
        "weir".to_owned(),
        config,
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        Arc::new(RuntimeEnv::default()),
    );
    let _guard = ONE_THREAD.as_ref().map(Runtime::enter);
    // The operator's task does not yield meanwhile: Tokio's budget of one poll must not starve the plan's own channels.
    block_on(tokio::task::unconstrained(collect(fresh(plan)?, Arc::new(context))))
}

/// Some plans keep what they read (the build side of a join): every run gets a copy without such memory.
fn fresh(plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan)
        .transform_up(|p| {
            let children = p.children().into_iter().map(Arc::clone).collect::<Vec<_>>();
            if children.is_empty() {
                Ok(Transformed::no(p))
            } else {
                Ok(Transformed::yes(p.with_new_children(children)?))
            }
        })
        .data()
}
