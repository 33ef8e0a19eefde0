//! Values of different kinds that a query compares or combines: text with a number, JSON with text, a time with a number.
//!
//! DataFusion (and so Arroyo) makes both the same type in silence: `event ->> 'pressure' > 20` compares text, in which 9 is
//! more than 20. Its author means something else. The plan is looked at before DataFusion has changed the types.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, Spans};
use datafusion::logical_expr::expr::{Between, BinaryExpr, Case, InList, InSubquery, ScalarFunction};
use datafusion::logical_expr::type_coercion::functions::{data_types_with_scalar_udf, fields_with_aggregate_udf};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator};

use crate::error::{Place, PlanError};
use crate::functions::json::is_json_union;

/// What a value is, as far as its author must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Boolean,
    Time,
    Interval,
    Json,
    /// Lists, structs, bytes: DataFusion says itself what does not fit.
    Other,
}

impl Kind {
    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Null => return None,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Boolean => Self::Boolean,
            DataType::Timestamp(..)
            | DataType::Date32
            | DataType::Date64
            | DataType::Time32(_)
            | DataType::Time64(_) => Self::Time,
            DataType::Interval(_) | DataType::Duration(_) => Self::Interval,
            DataType::Dictionary(_, value) => return Self::of(value),
            other if other.is_numeric() => Self::Number,
            other if is_json_union(other) => Self::Json,
            _ => Self::Other,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Time => "a time",
            Self::Interval => "an interval",
            Self::Json => "JSON",
            Self::Other => "a value of another type",
        }
    }

    /// The type to cast to, so that a value can be put beside one of this kind.
    fn type_name(self) -> &'static str {
        match self {
            Self::Text | Self::Json | Self::Other => "TEXT",
            Self::Number => "DOUBLE",
            Self::Boolean => "BOOLEAN",
            Self::Time => "TIMESTAMP",
            Self::Interval => "INTERVAL",
        }
    }
}

/// A value that is put beside others.
struct Operand<'a> {
    expr: &'a Expr,
    kind: Kind,
}

impl<'a> Operand<'a> {
    fn of(expr: &'a Expr, schema: &DFSchema) -> Option<Self> {
        Kind::of(&expr.get_type(schema).ok()?).map(|kind| Self { expr, kind })
    }

    fn is_literal(&self) -> bool {
        is_literal(self.expr)
    }
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Alias(alias) => is_literal(&alias.expr),
        Expr::Negative(inner) => is_literal(inner),
        _ => false,
    }
}

/// What a plan compares or combines although it is of different kinds, in the order of the plan.
pub(crate) fn mismatches(plan: &LogicalPlan) -> Result<Vec<PlanError>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        match node {
            LogicalPlan::Join(join) => {
                for (left, right) in &join.on {
                    found.extend(beside("is compared with", &schema, &[left, right], false));
                }
            }
            LogicalPlan::Union(union) => found.extend(of_union(&union.inputs)),
            _ => {}
        }
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                found.extend(of_expression(part, &schema));
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    found.dedup();
    Ok(found)
}

fn of_expression(expr: &Expr, schema: &DFSchema) -> Option<PlanError> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom => beside("is compared with", schema, &[left, right], false),
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                beside("is calculated with", schema, &[left, right], true)
            }
            Operator::And | Operator::Or => of_conditions(schema, &[left, right]),
            _ => None,
        },
        Expr::Between(Between { expr, low, high, .. }) => beside("is compared with", schema, &[expr, low, high], false),
        Expr::InList(InList { expr, list, .. }) => {
            let all: Vec<&Expr> = std::iter::once(expr.as_ref()).chain(list).collect();
            beside("is compared with", schema, &all, false)
        }
        Expr::InSubquery(InSubquery { expr, subquery, .. }) => {
            let (own, column) = (Operand::of(expr, schema)?, subquery.subquery.schema().fields().first()?);
            let other = Kind::of(column.data_type())?;
            if !conflicts(own.kind, own.is_literal(), other, false) {
                return None;
            }
            if !matches!(other, Kind::Text | Kind::Json) {
                return Some(refusal("is compared with", &own, other, own.expr));
            }
            let message = format!("{} is compared with {}", other.name(), own.kind.name());
            let hint = format!("select TRY_CAST({} AS {})", column.name(), own.kind.type_name());
            Some(placed(PlanError::refused(message).hint(hint), own.expr))
        }
        Expr::Case(Case { expr, when_then_expr, else_expr }) => {
            let of_operand = expr.as_deref().and_then(|operand| {
                let whens = when_then_expr.iter().map(|(when, _)| when.as_ref());
                beside("is compared with", schema, &std::iter::once(operand).chain(whens).collect::<Vec<_>>(), false)
            });
            let thens = when_then_expr.iter().map(|(_, then)| then.as_ref());
            let results: Vec<&Expr> = thens.chain(else_expr.as_deref()).collect();
            of_operand.or_else(|| beside("is put beside", schema, &results, false))
        }
        Expr::Not(inner) => of_conditions(schema, &[inner]),
        Expr::Negative(inner) => {
            let operand = Operand::of(inner, schema)?;
            (operand.kind == Kind::Text).then(|| refusal("is calculated with", &operand, Kind::Number, inner))
        }
        Expr::ScalarFunction(function) => of_call(function, schema),
        Expr::AggregateFunction(function) => {
            let field = |argument: &Expr| argument.to_field(schema).map(|(_, field)| field);
            let arguments = &function.params.args;
            let fields = arguments.iter().map(field).collect::<Result<Vec<_>>>().ok()?;
            let wanted = fields_with_aggregate_udf(&fields, &function.func).ok()?;
            let wanted: Vec<DataType> = wanted.iter().map(|f| f.data_type().clone()).collect();
            misread(function.func.name(), arguments, &wanted, schema)
        }
        _ => None,
    }
}

/// Functions whose arguments stand beside each other.
const OF_ONE_KIND: [&str; 6] = ["coalesce", "greatest", "least", "nullif", "nvl", "nvl2"];

fn of_call(function: &ScalarFunction, schema: &DFSchema) -> Option<PlanError> {
    let name = function.func.name();
    if OF_ONE_KIND.contains(&name) {
        let first = usize::from(name == "nvl2");
        let arguments: Vec<&Expr> = function.args.iter().skip(first).collect();
        return beside("is put beside", schema, &arguments, false);
    }
    // What a function reads its text as, such as a number. Text that stands there in the query is the author's own.
    let types: Vec<DataType> = function.args.iter().map(|a| a.get_type(schema)).collect::<Result<_>>().ok()?;
    let wanted = data_types_with_scalar_udf(&types, &function.func).ok()?;
    misread(name, &function.args, &wanted, schema)
}

/// The first argument that is text and is read as something else.
fn misread(name: &str, arguments: &[Expr], wanted: &[DataType], schema: &DFSchema) -> Option<PlanError> {
    arguments.iter().zip(wanted).find_map(|(argument, wanted)| {
        let (operand, wanted) = (Operand::of(argument, schema)?, Kind::of(wanted)?);
        let misread = operand.kind == Kind::Text
            && !operand.is_literal()
            && matches!(wanted, Kind::Number | Kind::Boolean | Kind::Time | Kind::Interval);
        misread.then(|| {
            let message = format!("{name} takes {}, and {} is text", wanted.name(), text_of(argument));
            placed(PlanError::refused(message).hint(cast_hint(&operand, wanted)), argument)
        })
    })
}

/// What is no condition, where one is wanted.
fn of_conditions(schema: &DFSchema, parts: &[&Expr]) -> Option<PlanError> {
    parts.iter().find_map(|part| {
        let operand = Operand::of(part, schema)?;
        matches!(operand.kind, Kind::Text | Kind::Number | Kind::Json)
            .then(|| refusal("stands in the place of", &operand, Kind::Boolean, part))
    })
}

/// The first two values of kinds that do not go together.
fn beside(how: &str, schema: &DFSchema, exprs: &[&Expr], arithmetic: bool) -> Option<PlanError> {
    let operands: Vec<Operand<'_>> = exprs.iter().filter_map(|expr| Operand::of(expr, schema)).collect();
    let (first, others) = operands.split_first()?;
    if arithmetic {
        return of_arithmetic(how, &operands);
    }
    let other =
        others.iter().find(|other| conflicts(first.kind, first.is_literal(), other.kind, other.is_literal()))?;
    // What is to be cast is the text, or the JSON; of the two, what is no literal.
    let (cast, fixed) = match (first.kind, other.kind) {
        (_, Kind::Json) => (other, first),
        (Kind::Json, _) => (first, other),
        (_, Kind::Text) => (other, first),
        _ => (first, other),
    };
    Some(refusal(how, cast, fixed.kind, first.expr))
}

/// In arithmetic text has no place, but as an interval or a time that stands there in the query.
fn of_arithmetic(how: &str, operands: &[Operand<'_>]) -> Option<PlanError> {
    let [left, right] = operands else { return None };
    let wrong = |own: &Operand<'_>, other: &Operand<'_>| match (own.kind, other.kind) {
        (Kind::Text, Kind::Time | Kind::Interval) => !own.is_literal(),
        (Kind::Text | Kind::Json | Kind::Boolean, _) => true,
        (Kind::Time, Kind::Number) => true,
        _ => false,
    };
    if wrong(left, right) {
        let wanted =
            if matches!(right.kind, Kind::Text | Kind::Json | Kind::Boolean) { Kind::Number } else { right.kind };
        return Some(refusal(how, left, wanted, left.expr));
    }
    if wrong(right, left) {
        let wanted =
            if matches!(left.kind, Kind::Text | Kind::Json | Kind::Boolean) { Kind::Number } else { left.kind };
        return Some(refusal(how, right, wanted, left.expr));
    }
    None
}

/// Whether two kinds cannot stand beside each other. Text that stands in the query may be a time or an interval.
fn conflicts(left: Kind, left_literal: bool, right: Kind, right_literal: bool) -> bool {
    let one_way = |a: Kind, literal: bool, b: Kind| match (a, b) {
        (Kind::Text, Kind::Time | Kind::Interval) => !literal,
        (Kind::Text, Kind::Number | Kind::Boolean | Kind::Json) => true,
        (Kind::Json, Kind::Number | Kind::Boolean | Kind::Time | Kind::Interval) => true,
        (Kind::Number, Kind::Boolean | Kind::Time | Kind::Interval) => true,
        (Kind::Boolean, Kind::Time | Kind::Interval) => true,
        _ => false,
    };
    one_way(left, left_literal, right) || one_way(right, right_literal, left)
}

fn of_union(inputs: &[Arc<LogicalPlan>]) -> Option<PlanError> {
    let (first, others) = inputs.split_first()?;
    others.iter().find_map(|other| {
        first.schema().fields().iter().zip(other.schema().fields()).find_map(|(a, b)| {
            let (of_first, of_other) = (Kind::of(a.data_type())?, Kind::of(b.data_type())?);
            conflicts(of_first, false, of_other, false).then(|| {
                let message = format!(
                    "column {} of a UNION is {} in one query and {} in another",
                    a.name(),
                    of_first.name(),
                    of_other.name()
                );
                let wanted = if of_first == Kind::Text || of_first == Kind::Json { of_other } else { of_first };
                PlanError::refused(message).hint(format!(
                    "cast one of them, for instance TRY_CAST({} AS {})",
                    a.name(),
                    wanted.type_name()
                ))
            })
        })
    })
}

fn refusal(how: &str, cast: &Operand<'_>, fixed: Kind, place: &Expr) -> PlanError {
    let what = if cast.is_literal() { format!(" ({})", text_of(cast.expr)) } else { String::new() };
    let message = format!("{}{what} {how} {}", cast.kind.name(), fixed.name());
    placed(PlanError::refused(message).hint(cast_hint(cast, fixed)), place)
}

/// How to say what is meant.
fn cast_hint(cast: &Operand<'_>, fixed: Kind) -> String {
    let text = text_of(cast.expr);
    match (cast.kind, fixed) {
        (Kind::Text, Kind::Number) if cast.is_literal() => "write the number without quotes".to_owned(),
        (Kind::Text, Kind::Boolean) if cast.is_literal() => "write true or false, without quotes".to_owned(),
        (Kind::Text, Kind::Number) => {
            format!("as text, 9 is more than 20; write TRY_CAST({text} AS DOUBLE), which is NULL where it is no number")
        }
        (Kind::Json, Kind::Text) => format!("->> gives text: {}", text.replace("->", "->>")),
        (Kind::Json, other) => {
            format!("->> gives text, to be cast: TRY_CAST({} AS {})", text.replace("->", "->>"), other.type_name())
        }
        (Kind::Number, Kind::Time) | (Kind::Time, Kind::Number) => {
            "to_timestamp_millis(number) makes a time of it; INTERVAL '5 minutes' is a span of time".to_owned()
        }
        (_, other) => format!("write TRY_CAST({text} AS {})", other.type_name()),
    }
}

/// An expression as its author may have written it.
fn text_of(expr: &Expr) -> String {
    match expr {
        Expr::Alias(alias) => alias.name.clone(),
        Expr::Column(column) => column.name.clone(),
        Expr::Literal(value, _) if Kind::of(&value.data_type()) == Some(Kind::Text) => format!("'{value}'"),
        Expr::Literal(value, _) => value.to_string(),
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
            ("json_as_text", [json, key]) => format!("{} ->> {}", text_of(json), text_of(key)),
            ("json_get", [json, key]) => format!("{} -> {}", text_of(json), text_of(key)),
            (name, args) => format!("{name}({})", args.iter().map(text_of).collect::<Vec<_>>().join(", ")),
        },
        _ => "…".to_owned(),
    }
}

/// The place of the first column in an expression that has one.
fn placed(error: PlanError, expr: &Expr) -> PlanError {
    let mut place = None;
    // The closure gives no errors.
    let _ = expr.apply(|part| {
        place = part.spans().and_then(Spans::first).map(|span| {
            let number = |n: u64| usize::try_from(n).unwrap_or(0);
            Place { line: number(span.start.line), column: number(span.start.column) }
        });
        Ok(if place.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match place {
        Some(place) => error.at(place),
        None => error,
    }
}

#[cfg(test)]
mod tests;
