//! The kinds of operators. A program passes three phases: its operators carry logical plans first, then logical plans
//! that are pruned to the columns that somebody reads, and at last physical expressions. The kinds stay the same.

use std::fmt::Debug;

/// What operators carry in one phase of planning.
pub(crate) trait Phase: Debug {
    type Source: Debug;
    /// Work on single rows.
    type Rows: Debug;
    /// Work on all rows of a timestamp.
    type PerTimestamp: Debug;
    type Window: Debug;
    type Join: Debug;
}

/// What an operator does.
#[derive(Debug)]
pub(crate) enum NodeKind<P: Phase> {
    /// Nobody reads it.
    Unused,
    /// Reads a table.
    Source(P::Source),
    /// Filters and projects row by row.
    Rows(P::Rows),
    /// Evaluates a plan over all rows of a timestamp, when the watermark has passed it.
    PerTimestamp(P::PerTimestamp),
    /// Aggregates in time windows.
    Window(P::Window),
    /// Passes the rows of several inputs on.
    Union(Vec<P::Rows>),
    /// Joins un-windowed streams.
    Join(P::Join),
    /// Writes to a table: the program's sink of this number.
    Sink { rows: P::Rows, sink: usize },
}
