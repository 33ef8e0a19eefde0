//! `unnest` in a `SELECT` list: one array becomes rows.

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, UnnestOptions, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::columns::project as plain_projection;

const UNNESTED: &str = "__unnested";

/// A projection whose expressions may call `unnest` once.
pub(crate) fn project(expressions: Vec<Expr>, input: LogicalPlan) -> Result<LogicalPlan> {
    let mut array: Option<Expr> = None;
    let mut rewritten = Vec::with_capacity(expressions.len());
    for expression in expressions {
        let (expression, called) = split(expression)?;
        if let Some(called) = called {
            if array.as_ref().is_some_and(|a| *a != called) {
                return plan_err!("Projection contains multiple unnests, which is not currently supported");
            }
            array = Some(called);
        }
        rewritten.push(expression);
    }
    let Some(array) = array else { return plain_projection(input, rewritten) };
    let mut columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    columns.push(array.alias(UNNESTED));
    let plan = LogicalPlanBuilder::from(input)
        .project(columns)?
        .unnest_column_with_options(Column::new_unqualified(UNNESTED), UnnestOptions::default())?
        .build()?;
    plain_projection(plan, rewritten)
}

/// Everywhere but in a `SELECT` list `unnest` is refused.
pub(crate) fn refuse_elsewhere(expressions: &[Expr]) -> Result<()> {
    for expression in expressions {
        expression.apply(|e| match e {
            Expr::ScalarFunction(ScalarFunction { func, .. }) if func.name() == "unnest" => {
                plan_err!("unnest is only supported in SELECT statements")
            }
            _ => Ok(TreeNodeRecursion::Continue),
        })?;
    }
    Ok(())
}

fn split(expression: Expr) -> Result<(Expr, Option<Expr>)> {
    let mut array = None;
    let name = expression.schema_name().to_string();
    let alias = matches!(expression, Expr::Alias(_) | Expr::Column(_));
    let rewritten = expression
        .transform_up(|e| match e {
            Expr::ScalarFunction(ScalarFunction { func, mut args }) if func.name() == "unnest" => {
                let Some(argument) = args.pop() else { return plan_err!("unnest takes one argument") };
                if array.replace(argument).is_some() {
                    return plan_err!("Multiple unnests in expression, which is not allowed");
                }
                Ok(Transformed::yes(Expr::Column(Column::new_unqualified(UNNESTED))))
            }
            other => Ok(Transformed::no(other)),
        })
        .data()?;
    // The output keeps the name that queries above refer to.
    Ok((if array.is_some() && !alias { rewritten.alias(name) } else { rewritten }, array))
}
