//! What the engine must know of DataFusion's execution plans: which of their nodes keep state, and that they have one
//! partition.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, not_impl_err};
use datafusion::physical_plan::ExecutionPlan;

/// The nodes that keep nothing of what they read. Others (joins keep their build side) are made anew for every run.
/// Nodes that bring partitions together are none of them: a plan has one ([`check_partitions`]).
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

/// Whether a node of a plan keeps what it reads.
pub(crate) fn has_stateful_nodes(plan: &Arc<dyn ExecutionPlan>) -> bool {
    !STATELESS_NODES.contains(&plan.name()) || plan.children().into_iter().any(has_stateful_nodes)
}

/// Refuses a plan with a node that has several partitions. DataFusion would read them on tasks of their own, and nobody
/// drives the runtime that such tasks are given to: the plan would wait for ever.
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

/// A copy of the nodes that keep what they read, and of what is above them; `None` where there are none.
pub(crate) fn reset_stateful_nodes(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
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

    use arrow::array::{Int64Array, RecordBatch};
    use datafusion::datasource::MemTable;
    use datafusion::physical_plan::union::UnionExec;
    use datafusion::prelude::{SessionConfig, SessionContext};

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
