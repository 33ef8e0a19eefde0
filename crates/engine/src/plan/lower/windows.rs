//! Time windows as the planner sees them: calls of `tumble`, `hop` and `session` with literal intervals.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, not_impl_err, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{Alias, ScalarFunction};

use crate::program::Window;

const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// The window that an expression calls, through aliases.
pub(crate) fn find_window(expression: &Expr) -> Result<Option<Window>> {
    match expression {
        Expr::Alias(Alias { expr, .. }) => find_window(expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
            ("tumble", [width]) => Ok(Some(Window::Tumble { width: duration(width)? })),
            ("session", [gap]) => Ok(Some(Window::Session { gap: duration(gap)? })),
            ("hop", [slide, width]) => {
                let (slide, width) = (duration(slide)?, duration(width)?);
                if width % slide != 0 {
                    return plan_err!(
                        "hop() width {} currently must be a multiple of slide {}",
                        seconds(width),
                        seconds(slide)
                    );
                }
                Ok(Some(if slide == width { Window::Tumble { width } } else { Window::Hop { slide, width } }))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn seconds(nanos: i64) -> String {
    format!("{}s", nanos / 1_000_000_000)
}

fn duration(expression: &Expr) -> Result<i64> {
    let nanos = match expression {
        Expr::Literal(ScalarValue::IntervalDayTime(Some(v)), _) => i64::from(v.days)
            .checked_mul(NANOS_PER_DAY)
            .and_then(|d| d.checked_add(i64::from(v.milliseconds) * 1_000_000)),
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(v)), _) => {
            if v.months != 0 {
                return not_impl_err!("Windows do not support durations specified as months");
            }
            i64::from(v.days).checked_mul(NANOS_PER_DAY).and_then(|d| d.checked_add(v.nanoseconds))
        }
        _ => return plan_err!("unsupported Duration expression, expect duration literal, not {expression}"),
    };
    match nanos {
        Some(nanos) if nanos > 0 => Ok(nanos),
        _ => plan_err!("the size of a time window must be positive"),
    }
}

/// The name of a window function that is called directly.
pub(crate) fn time_window_name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::ScalarFunction(ScalarFunction { func, .. }) if matches!(func.name(), "tumble" | "hop" | "session") => {
            Some(func.name())
        }
        _ => None,
    }
}

/// Refuses window functions in expressions that are evaluated row by row.
pub(crate) fn refuse_window_calls(expressions: &[Expr]) -> Result<()> {
    for expression in expressions {
        expression.apply(|e| match time_window_name(e) {
            Some(name) => plan_err!(
                "time window function {name} is not allowed in this context. Are you missing a GROUP BY clause?"
            ),
            None => Ok(TreeNodeRecursion::Continue),
        })?;
    }
    Ok(())
}
