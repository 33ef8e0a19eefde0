//! Frames of `OVER` that an aggregate cannot follow.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::window::SlidingAggregateWindowExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};

use crate::error::PlanError;
use crate::plan::statements::diagnose::refusal;

/// Refuses a frame whose begin moves over an aggregate that cannot let go of a row. DataFusion finds it while it runs: every
/// instant would fail.
pub(super) fn check_frames(plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    plan.apply(|node| {
        let node = node.as_any();
        let bounded = node.downcast_ref::<BoundedWindowAggExec>().map(BoundedWindowAggExec::window_expr);
        let windows = bounded.or_else(|| node.downcast_ref::<WindowAggExec>().map(WindowAggExec::window_expr));
        for window in windows.unwrap_or_default() {
            let Some(sliding) = window.as_any().downcast_ref::<SlidingAggregateWindowExpr>() else { continue };
            let aggregate = sliding.get_aggregate_expr();
            if aggregate.create_sliding_accumulator().is_err() {
                let said = format!("{} cannot follow a frame that moves", aggregate.fun().name());
                let hint = "begin the frame with UNBOUNDED PRECEDING; avg, sum, count, min and max can follow it";
                return Err(refusal(PlanError::refused(said).hint(hint)));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map(|_| ())
}
