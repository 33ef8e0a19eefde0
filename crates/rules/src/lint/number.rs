//! Divisions that may be by zero, and scores that leave [0, 1].
//!
//! Floats give infinity or NaN, which the compiler maps to a score or to null. A division of whole numbers by zero is an error,
//! which the compiler turns into NULL where it sees that it is one: types are followed from the aggregates outward as far as
//! the text shows them.

use std::{collections::BTreeMap, ops::ControlFlow};

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Select, SelectItem,
    SetExpr, Spanned, TableFactor, UnaryOperator, Value, visit_expressions,
};
use sqlparser::tokenizer::Location;

use super::{Finding, Level, select::name, text::Body};

pub(super) const DIVISION_BY_ZERO: &str = "division-by-zero";
pub(super) const SCORE_OUT_OF_RANGE: &str = "score-out-of-range";

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Float,
    /// A whole number or a decimal: a division by its zero is an error.
    Int,
    /// A whole number above zero.
    PositiveInt,
}

type Columns = BTreeMap<String, Kind>;

pub(super) fn lint(body: &Body<'_>) -> Vec<Finding> {
    let finding = |(start, divisor)| {
        let message = format!(
            "`{divisor}` may be zero, and whole numbers are divided by it: it is compiled to nullif({divisor}, 0)"
        );
        Finding::new(DIVISION_BY_ZERO, Level::Info, body.rule, body.place_of(start), message)
            .hint("the result is NULL where it is zero; greatest(…, 1), or a double on one side (1.0 * …), say something else")
    };
    let mut findings: Vec<Finding> = integer_divisions(&body.query).into_iter().map(finding).collect();
    findings.extend(score(body));
    findings
}

/// Divisors of whole numbers that may be zero: where the first name or number of each stands, and its text.
pub(crate) fn integer_divisions(query: &Query) -> Vec<(Location, String)> {
    let mut walk = Walk { found: Vec::new() };
    walk.query(query, &Columns::new());
    walk.found
}

struct Walk {
    found: Vec<(Location, String)>,
}

impl Walk {
    /// Looks through a query and says what its columns are. `named` are columns of queries named by `WITH`, as `name.column`.
    fn query(&mut self, query: &Query, named: &Columns) -> Columns {
        let mut named = named.clone();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = self.query(&cte.query, &named);
            let table = cte.alias.name.value.to_lowercase();
            named.extend(columns.into_iter().map(|(column, kind)| (format!("{table}.{column}"), kind)));
        }
        self.set(&query.body, &named)
    }

    fn set(&mut self, set: &SetExpr, named: &Columns) -> Columns {
        match set {
            SetExpr::Select(select) => self.select(select, named),
            SetExpr::Query(query) => self.query(query, named),
            SetExpr::SetOperation { left, right, .. } => {
                self.set(right, named);
                self.set(left, named)
            }
            _ => Columns::new(),
        }
    }

    fn select(&mut self, select: &Select, named: &Columns) -> Columns {
        let mut inputs = Columns::new();
        for from in &select.from {
            for side in std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)) {
                inputs.extend(self.relation(side, named));
            }
        }
        let mut columns = Columns::new();
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { expr, alias } => {
                    self.divisions(expr, &inputs);
                    columns.insert(alias.value.to_lowercase(), kind(expr, &inputs));
                }
                SelectItem::UnnamedExpr(expr) => {
                    self.divisions(expr, &inputs);
                    if let Some(column) = column(expr) {
                        columns.insert(column, kind(expr, &inputs));
                    }
                }
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => columns.extend(inputs.clone()),
            }
        }
        for condition in select.selection.iter().chain(&select.having) {
            self.divisions(condition, &inputs);
        }
        columns
    }

    fn relation(&mut self, side: &TableFactor, named: &Columns) -> Columns {
        match side {
            TableFactor::Derived { subquery, .. } => self.query(subquery, named),
            TableFactor::Table { name, .. } => {
                let table = format!("{}.", name.to_string().to_lowercase());
                let mut columns: Columns =
                    named.iter().filter_map(|(c, k)| Some((c.strip_prefix(&table)?.to_owned(), *k))).collect();
                if ["events.", "activity."].contains(&table.as_str()) {
                    columns.insert("value".to_owned(), Kind::Float);
                }
                columns
            }
            _ => Columns::new(),
        }
    }

    fn divisions(&mut self, expr: &Expr, inputs: &Columns) {
        let _: ControlFlow<()> = visit_expressions(expr, |part| {
            if let Expr::BinaryOp { left, op: BinaryOperator::Divide | BinaryOperator::Modulo, right } = part
                && is_int(kind(left, inputs))
                && is_int(kind(right, inputs))
                && !guarded(right, inputs)
            {
                self.found.push((right.span().start, right.to_string()));
            }
            ControlFlow::Continue(())
        });
    }
}

fn is_int(kind: Kind) -> bool {
    matches!(kind, Kind::Int | Kind::PositiveInt)
}

/// Whether a divisor cannot be zero, or its author has thought of it.
fn guarded(divisor: &Expr, inputs: &Columns) -> bool {
    match divisor {
        Expr::Nested(inner) => guarded(inner, inputs),
        Expr::Case { .. } => true,
        Expr::Function(function) if name(function) == "nullif" => true,
        Expr::Function(function) if name(function) == "greatest" => arguments(function).any(|a| literal(a) > Some(0.0)),
        _ => literal(divisor).is_some_and(|number| number != 0.0) || kind(divisor, inputs) == Kind::PositiveInt,
    }
}

fn kind(expr: &Expr, inputs: &Columns) -> Kind {
    let of = |expr: &Expr| kind(expr, inputs);
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) if text.contains(['.', 'e', 'E']) => Kind::Float,
            Value::Number(text, _) if text.bytes().any(|digit| digit.is_ascii_digit() && digit != b'0') => {
                Kind::PositiveInt
            }
            Value::Number(..) => Kind::Int,
            _ => Kind::Unknown,
        },
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            column(expr).and_then(|column| inputs.get(&column).copied()).unwrap_or(Kind::Unknown)
        }
        Expr::Nested(inner) => of(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => weakest(of(expr), Kind::Int),
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::Plus | BinaryOperator::Multiply => weakest(of(left), of(right)),
            BinaryOperator::Minus | BinaryOperator::Divide | BinaryOperator::Modulo => {
                weakest(weakest(of(left), of(right)), Kind::Int)
            }
            _ => Kind::Unknown,
        },
        Expr::Cast { data_type, .. } => {
            let target = data_type.to_string().to_uppercase();
            match target.as_str() {
                "DOUBLE" | "DOUBLE PRECISION" | "FLOAT" | "REAL" => Kind::Float,
                text if EXACT.iter().any(|name| text.starts_with(name)) => Kind::Int,
                _ => Kind::Unknown,
            }
        }
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter().map(|when| &when.result).chain(else_result.as_deref());
            results.map(of).reduce(weakest).unwrap_or(Kind::Unknown)
        }
        Expr::Function(function) => function_kind(function, inputs),
        Expr::Extract { field, .. } if !field.to_string().eq_ignore_ascii_case("epoch") => Kind::Int,
        _ => Kind::Unknown,
    }
}

/// How the names of types begin whose division by zero is an error.
const EXACT: [&str; 6] = ["BIGINT", "DECIMAL", "INT", "NUMERIC", "SMALLINT", "TINYINT"];

fn function_kind(function: &Function, inputs: &Columns) -> Kind {
    let arguments = || arguments(function).map(|argument| kind(argument, inputs));
    match name(function).as_str() {
        // A group holds at least one row, unless a filter takes it.
        "count" if function.filter.is_none() && function.args.to_string() == "(*)" => Kind::PositiveInt,
        "approx_distinct" | "array_length" | "ascii" | "bit_length" | "cardinality" | "char_length"
        | "character_length" | "count" | "json_get_int" | "json_length" | "length" | "octet_length"
        | "regexp_count" | "regr_count" | "strpos" => Kind::Int,
        "date_part" if !function.args.to_string().to_lowercase().contains("epoch") => Kind::Int,
        "row_number" | "rank" | "dense_rank" => Kind::PositiveInt,
        "avg" | "mean" | "var" | "var_pop" | "var_samp" | "stddev" | "stddev_pop" | "stddev_samp" | "sqrt" | "corr"
        | "covar_pop" | "covar_samp" | "json_get_float" | "ln" | "log" | "log10" | "log2" | "exp" | "power" | "pow" => {
            Kind::Float
        }
        "abs" | "sum" | "min" | "max" | "median" | "first_value" | "last_value" | "approx_percentile_cont" => {
            // Of no rows these are null, which divides nothing.
            arguments().next().unwrap_or(Kind::Unknown)
        }
        "greatest" | "least" | "coalesce" => arguments().reduce(weakest).unwrap_or(Kind::Unknown),
        _ => Kind::Unknown,
    }
}

/// What is known of a value that may be either, or of both in a sum: a float makes a float, an unknown stays one.
fn weakest(a: Kind, b: Kind) -> Kind {
    match (a, b) {
        (Kind::Float, _) | (_, Kind::Float) => Kind::Float,
        (Kind::Unknown, _) | (_, Kind::Unknown) => Kind::Unknown,
        (Kind::Int, _) | (_, Kind::Int) => Kind::Int,
        (Kind::PositiveInt, Kind::PositiveInt) => Kind::PositiveInt,
    }
}

/// The outermost `score`, where literals bound it.
fn score(body: &Body<'_>) -> Option<Finding> {
    let SetExpr::Select(select) = body.query.body.as_ref() else { return None };
    let expr = select.projection.iter().find_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case("score") => Some(expr),
        _ => None,
    })?;
    let (least, most) = bounds(expr);
    let message = match (least, most) {
        (Some(least), _) if least < 0.0 => format!("the score may be {least}"),
        (_, Some(most)) if most > 1.0 => format!("the score may be {most}"),
        _ => return None,
    };
    Some(
        Finding::new(SCORE_OUT_OF_RANGE, Level::Warning, body.rule, body.place(expr), message)
            .hint("a score is from 0 (ordinary) to 1; what lies outside is cut off, so differences beyond are lost"),
    )
}

/// The least and the most that a value may be, where literals say it.
fn bounds(expr: &Expr) -> (Option<f64>, Option<f64>) {
    if let Some(number) = literal(expr) {
        return (Some(number), Some(number));
    }
    match expr {
        Expr::Nested(inner) => bounds(inner),
        Expr::Function(function) if name(function) == "least" => {
            (None, arguments(function).filter_map(|a| bounds(a).1).reduce(f64::min))
        }
        Expr::Function(function) if name(function) == "greatest" => {
            (arguments(function).filter_map(|a| bounds(a).0).reduce(f64::max), None)
        }
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter().map(|when| &when.result).chain(else_result.as_deref());
            let parts: Vec<_> = results.map(bounds).collect();
            let least = parts.iter().filter_map(|(least, _)| *least).reduce(f64::min);
            (least, parts.iter().filter_map(|(_, most)| *most).reduce(f64::max))
        }
        _ => (None, None),
    }
}

/// The number that literals make.
fn literal(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        Expr::Nested(inner) => literal(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Some(-literal(expr)?),
        Expr::BinaryOp { left, op, right } => {
            let (left, right) = (literal(left)?, literal(right)?);
            match op {
                BinaryOperator::Plus => Some(left + right),
                BinaryOperator::Minus => Some(left - right),
                BinaryOperator::Multiply => Some(left * right),
                BinaryOperator::Divide => Some(left / right),
                _ => None,
            }
        }
        _ => None,
    }
}

fn column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(ident.value.to_lowercase()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.to_lowercase()),
        _ => None,
    }
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}
