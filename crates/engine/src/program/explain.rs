//! A program as text, for people: each operator with its inputs, keys, window, state, and the statements that its rows reach.

use std::fmt;
use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;

use super::node::NodeKind;
use super::operator::{JoinSpec, Operator, SourceSpec, SourceWatermark};
use super::rows::{ROW, RowExpressions, RowStep, RowSteps, TIMESTAMP};
use super::window::Window;
use super::{AggregateSpec, Program, WindowSpec};

/// Units of time, in nanoseconds, from the longest to the shortest.
const UNITS: [(i64, &str); 7] = [
    (86_400_000_000_000, "d"),
    (3_600_000_000_000, "h"),
    (60_000_000_000, "min"),
    (1_000_000_000, "s"),
    (1_000_000, "ms"),
    (1_000, "µs"),
    (1, "ns"),
];

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (id, operator) in self.operators.iter().enumerate() {
            if matches!(operator.kind, NodeKind::Unused) {
                continue;
            }
            if !std::mem::take(&mut first) {
                writeln!(f)?;
            }
            writeln!(f, "operator {id}: {}", self.title(operator))?;
            let inputs: Vec<String> = operator.inputs().iter().map(ToString::to_string).collect();
            if !inputs.is_empty() {
                writeln!(f, "  reads     {}", inputs.join(", "))?;
            }
            for (name, value) in details(operator) {
                writeln!(f, "  {name:<9} {value}")?;
            }
            // Of a window, keys and aggregates say it.
            if !matches!(operator.kind, NodeKind::Sink { .. } | NodeKind::Window(_)) {
                writeln!(f, "  columns   {}", columns(operator))?;
            }
            let fed: Vec<&str> = self.rules.iter().filter(|r| r.reads(id)).map(|r| r.name.as_str()).collect();
            let shared = if fed.len() > 1 { format!(" ({} statements)", fed.len()) } else { String::new() };
            writeln!(f, "  feeds     {}{shared}", fed.join(", "))?;
        }
        Ok(())
    }
}

impl Program {
    /// What an operator is, in a few words.
    fn title(&self, operator: &Operator) -> String {
        let table = |tables: &[super::TableInfo], index: usize| {
            tables.get(index).map_or_else(String::new, |t| format!("{} ({})", t.name, t.connector))
        };
        match &operator.kind {
            NodeKind::Unused => "unused".to_owned(),
            NodeKind::Source(spec) => format!("source {}", table(&self.sources, spec.index)),
            NodeKind::Rows(rows) => row_steps(rows).to_owned(),
            NodeKind::PerTimestamp(spec) => format!("for each timestamp: {}", plan_nodes(spec.plan.as_ref())),
            NodeKind::Window(spec) => window_size(spec.window),
            NodeKind::Union(_) => "union".to_owned(),
            NodeKind::Join(_) => "join of un-windowed streams".to_owned(),
            NodeKind::Sink { sink, .. } => format!("sink {}", table(&self.sinks, *sink)),
        }
    }
}

/// What else is to be said of an operator.
fn details(operator: &Operator) -> Vec<(&'static str, String)> {
    match &operator.kind {
        NodeKind::Source(spec) => vec![("watermark", watermark(spec))],
        NodeKind::Rows(rows) => conditions(rows),
        NodeKind::PerTimestamp(_) => vec![("state", "rows of timestamps that the watermark has not passed".to_owned())],
        NodeKind::Window(spec) => window_details(spec),
        NodeKind::Join(spec) => join_details(spec),
        NodeKind::Union(inputs) => inputs.iter().flat_map(conditions).collect(),
        NodeKind::Sink { rows, .. } => conditions(rows),
        NodeKind::Unused => Vec::new(),
    }
}

fn watermark(spec: &SourceSpec) -> String {
    match spec.watermark {
        SourceWatermark::Lateness(nanos) => format!("{} behind each row", duration(nanos)),
        SourceWatermark::Column(_) => "an expression over each row".to_owned(),
    }
}

fn window_details(spec: &WindowSpec) -> Vec<(&'static str, String)> {
    let keys = if spec.keys.is_empty() { "none: all rows are one group".to_owned() } else { list(&spec.keys) };
    let aggregates = spec.aggregates.iter().map(aggregate).collect::<Vec<_>>().join(", ");
    let state = match spec.window {
        Window::Tumble { .. } => "accumulators of each key in each open window".to_owned(),
        Window::Hop { slide, .. } => format!("partial states of each key in each bin of {}", duration(slide)),
        Window::Session { .. } => "rows of each open session".to_owned(),
    };
    let mut details = conditions(&spec.rows);
    details.push(("keys", keys));
    if !aggregates.is_empty() {
        details.push(("computes", aggregates));
    }
    details.push(("state", state));
    details
}

fn join_details(spec: &JoinSpec) -> Vec<(&'static str, String)> {
    let keys = match &spec.keys {
        Some(keys) => {
            let pairs = keys.left.iter().zip(&keys.right).map(|(l, r)| format!("{} = {}", sql(l), sql(r)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        None => "none that an index can use: each row is compared with all".to_owned(),
    };
    vec![("keys", keys), ("state", format!("rows of both sides for {} of event time", duration(spec.ttl)))]
}

fn row_steps(rows: &RowExpressions) -> &'static str {
    let RowSteps::Chain(steps) = &rows.steps else { return "unnest" };
    let filters = steps.iter().any(|s| matches!(s, RowStep::Filter(_)));
    let projects = steps.iter().any(|s| matches!(s, RowStep::Project { .. }));
    match (filters, projects) {
        (true, true) => "filter and project",
        (true, false) => "filter",
        (false, true) => "project",
        (false, false) => "pass on",
    }
}

/// The filters of work on single rows.
fn conditions(rows: &RowExpressions) -> Vec<(&'static str, String)> {
    let RowSteps::Chain(steps) = &rows.steps else { return Vec::new() };
    let filter = |step: &RowStep| match step {
        RowStep::Filter(conditions) => Some(conditions.iter().map(sql).collect::<Vec<_>>().join(" AND ")),
        RowStep::Project { .. } => None,
    };
    steps.iter().filter_map(filter).map(|condition| ("where", condition)).collect()
}

fn aggregate(spec: &AggregateSpec) -> String {
    let distinct = if spec.function.is_distinct() { "DISTINCT " } else { "" };
    let filter = spec.filter.as_ref().map_or_else(String::new, |f| format!(" FILTER (WHERE {})", sql(f)));
    format!("{}({distinct}{}){filter}", spec.function.fun().name(), list(&spec.arguments))
}

/// The nodes of a plan from the top down, but for those that only hand rows on.
fn plan_nodes(plan: &dyn datafusion::physical_plan::ExecutionPlan) -> String {
    let mut names = Vec::new();
    let mut next = vec![plan];
    while let Some(node) = next.pop() {
        let name = node.name().trim_end_matches("Exec");
        if !matches!(name, "Input" | "Projection" | "CoalesceBatches") {
            names.push(name.to_owned());
        }
        next.extend(node.children().into_iter().rev().map(AsRef::as_ref));
    }
    if names.is_empty() { "project".to_owned() } else { names.join(", ") }
}

/// The columns but for those that the engine keeps for itself.
fn columns(operator: &Operator) -> String {
    let names = operator.schema.fields().iter().map(|f| f.name().as_str());
    names.filter(|name| ![TIMESTAMP, ROW].contains(name)).collect::<Vec<_>>().join(", ")
}

fn window_size(window: Window) -> String {
    match window {
        Window::Tumble { width } => format!("tumbling window of {}", duration(width)),
        Window::Hop { slide, width } => format!("hopping window of {} every {}", duration(width), duration(slide)),
        Window::Session { gap } => format!("session window with a gap of {}", duration(gap)),
    }
}

fn list(expressions: &[Arc<dyn PhysicalExpr>]) -> String {
    expressions.iter().map(sql).collect::<Vec<_>>().join(", ")
}

/// An expression as SQL, without the numbers of its columns.
fn sql(expression: &Arc<dyn PhysicalExpr>) -> String {
    struct Sql<'a>(&'a dyn PhysicalExpr);
    impl fmt::Display for Sql<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt_sql(f)
        }
    }
    Sql(expression.as_ref()).to_string()
}

/// A span in the longest unit in which it is whole.
fn duration(nanos: i64) -> String {
    if nanos == 0 {
        return "0 s".to_owned();
    }
    let whole = UNITS.iter().find(|(unit, _)| nanos % unit == 0);
    whole.map_or_else(|| format!("{nanos} ns"), |(unit, name)| format!("{} {name}", nanos / unit))
}

#[cfg(test)]
mod tests {
    use crate::{PlanOptions, plan};

    #[test]
    fn a_program_is_printed_with_keys_windows_state_and_sharing() {
        let program = plan(include_str!("explain/program.sql"), &PlanOptions::default()).unwrap();
        insta::assert_snapshot!(program.to_string());
    }

    #[test]
    fn spans_are_printed_in_their_longest_whole_unit() {
        let cases = [(86_400_000_000_000, "1 d"), (90_000_000_000, "90 s"), (1_500_000, "1500 µs"), (7, "7 ns")];
        for (nanos, said) in cases {
            assert_eq!(super::duration(nanos), said);
        }
        assert_eq!(super::duration(0), "0 s");
    }
}
