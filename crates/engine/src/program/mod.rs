//! A planned program: what the planner makes and a run takes.

mod aggregate;
mod execution_plan;
mod explain;
mod input;
mod node;
mod operator;
mod rows;
mod rule;
mod table;
mod time_facts;
mod window;

use std::sync::Arc;

use crate::error::PlanError;
pub(crate) use aggregate::{AggregateSpec, WindowSpec};
pub(crate) use execution_plan::{check_partitions, has_stateful_nodes, reset_stateful_nodes};
pub(crate) use input::{InputExec, NodeId, NodeTable, PlanInputs};
pub(crate) use node::{NodeKind, Phase};
pub(crate) use operator::{JoinKeys, JoinSpec, Operator, PerTimestampSpec, SourceSpec, SourceWatermark};
pub(crate) use rows::{ROW, RowExpressions, RowStep, RowSteps, TIMESTAMP};
pub(crate) use rule::RuleInfo;
pub use table::{BadData, Format, FutureLimit, TableInfo, TableKind};
pub(crate) use time_facts::TimeFacts;
pub(crate) use window::{Window, window_type};

/// A planned program, ready to run any number of times.
#[derive(Debug)]
pub struct Program {
    pub(crate) operators: Arc<[Operator]>,
    pub(crate) sources: Vec<TableInfo>,
    pub(crate) sinks: Vec<TableInfo>,
    /// The statements that write, in the order of the program.
    pub(crate) rules: Vec<RuleInfo>,
    pub(crate) time_facts: TimeFacts,
    pub(crate) fingerprint: String,
    pub(crate) warnings: Vec<PlanError>,
}

impl Program {
    /// The tables that the program reads, each once.
    #[must_use]
    pub fn sources(&self) -> &[TableInfo] {
        &self.sources
    }

    /// The tables that the program writes; a bare `SELECT` writes to one named `stdout`.
    #[must_use]
    pub fn sinks(&self) -> &[TableInfo] {
        &self.sinks
    }

    /// What the program does, as Arroyo does it, although its author most likely means something else.
    #[must_use]
    pub fn warnings(&self) -> &[PlanError] {
        &self.warnings
    }

    /// The longest time that a row stays in a window, a session's gap or a join, nanoseconds; 0 without any. Rows
    /// further apart cannot meet, but for rows of a session that others connect.
    #[must_use]
    pub fn longest_window(&self) -> i64 {
        let longest = |operator: &Operator| match &operator.kind {
            NodeKind::Window(spec) => match spec.window {
                Window::Tumble { width } | Window::Hop { width, .. } => width,
                Window::Session { gap } => gap,
            },
            NodeKind::Join(spec) => spec.ttl,
            _ => 0,
        };
        self.operators.iter().map(longest).max().unwrap_or(0)
    }

    /// Identifies the program's text: state of another program is refused.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
