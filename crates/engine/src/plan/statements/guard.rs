//! Keeps what a record may hold from expressions that would not survive it.

use datafusion::common::tree_node::{TransformedResult, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;

use crate::functions::{decimal, json_numbers, json_strict};

/// The same plan with guarded expressions; its columns keep their names.
pub(crate) fn guarded(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| {
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = &plan {
            schema = DFSchema::clone(&scan.projected_schema);
        }
        let names = NamePreserver::new(&plan);
        let plan = plan.map_expressions(|expression| {
            let name = names.save(&expression);
            let guarded = expression.transform_up(|e| {
                let guarded = decimal::guard(e, &schema);
                let guarded = if guarded.transformed { guarded } else { json_numbers::guard(guarded.data, &schema) };
                Ok(if guarded.transformed { guarded } else { json_strict::guard(guarded.data) })
            })?;
            Ok(guarded.update_data(|e| name.restore(e)))
        })?;
        if plan.transformed { plan.map_data(LogicalPlan::recompute_schema) } else { Ok(plan) }
    })
    .data()
}
