//! From a SQL statement to an optimized logical plan, by the rules that Arroyo applies and no others.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Distinct, LogicalPlan};
use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion::optimizer::decorrelate_lateral_join::DecorrelateLateralJoin;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::eliminate_group_by_constant::EliminateGroupByConstant;
use datafusion::optimizer::eliminate_join::EliminateJoin;
use datafusion::optimizer::eliminate_limit::EliminateLimit;
use datafusion::optimizer::eliminate_nested_union::EliminateNestedUnion;
use datafusion::optimizer::eliminate_one_union::EliminateOneUnion;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::filter_null_join_keys::FilterNullJoinKeys;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::push_down_limit::PushDownLimit;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Analyzer, Optimizer, OptimizerContext, OptimizerRule};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast;

use super::catalog::Catalog;
use super::guard::guarded;
use super::mismatch::mismatches;
use crate::error::PlanError;
use crate::functions::FUNCTIONS;

/// Plans a statement as Arroyo's planner does. What it compares although it is of different kinds is handed to `mismatch`.
pub(crate) fn optimized_plan(
    statement: ast::Statement,
    catalog: &Catalog,
    now: DateTime<Utc>,
    mismatch: &mut dyn FnMut(PlanError) -> Result<()>,
) -> Result<LogicalPlan> {
    let options = ParserOptions { collect_spans: true, ..ParserOptions::default() };
    let plan = SqlToRel::new_with_options(catalog, options).sql_statement_to_plan(statement)?;
    refuse_distinct_on(&plan)?;
    mismatches(&plan)?.into_iter().try_for_each(mismatch)?;
    let plan = guarded(analyze(plan)?)?;
    run(arroyo_rules(), plan, now)
}

/// DataFusion 48 cannot rewrite it, and panics.
fn refuse_distinct_on(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|p| match p {
        LogicalPlan::Distinct(Distinct::On(_)) => {
            plan_err!("DISTINCT ON is not supported")
        }
        _ => Ok(TreeNodeRecursion::Continue),
    })
    .map(|_| ())
}

/// Prunes columns and evaluates common expressions once, inside one operator's plan.
pub(crate) fn optimize_operator(plan: LogicalPlan, now: DateTime<Utc>) -> Result<LogicalPlan> {
    run(vec![Arc::new(OptimizeProjections::new()), Arc::new(CommonSubexprEliminate::new())], plan, now)
}

fn analyze(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut analyzer = Analyzer::new();
    for rewrite in &FUNCTIONS.rewrites {
        analyzer.add_function_rewrite(Arc::clone(rewrite));
    }
    analyzer.execute_and_check(plan, &ConfigOptions::default(), |_, _| {})
}

fn run(rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>, plan: LogicalPlan, now: DateTime<Utc>) -> Result<LogicalPlan> {
    let context = OptimizerContext::new().with_query_execution_start_time(now).with_skip_failing_rules(false);
    Optimizer::with_rules(rules).optimize(plan, &context, |_, _| {})
}

/// Arroyo's fixed list. Two of DataFusion's rules are missing on purpose: one would split `count(DISTINCT …)` into two
/// aggregates, the other would drop the columns that carry time.
fn arroyo_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![
        Arc::new(EliminateNestedUnion::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ReplaceDistinctWithAggregate::new()),
        Arc::new(EliminateJoin::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(DecorrelateLateralJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateLimit::new()),
        Arc::new(PropagateEmptyRelation::new()),
        Arc::new(EliminateOneUnion::new()),
        Arc::new(FilterNullJoinKeys::default()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownLimit::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(EliminateGroupByConstant::new()),
        Arc::new(CommonSubexprEliminate::new()),
    ]
}
