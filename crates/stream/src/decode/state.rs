//! What a decoder keeps between and during records, so that a record allocates nothing.

use std::collections::HashSet;

use super::{plan::Plan, slot::Slot};
use crate::format::Span;

/// After so many names that were not where they were expected, all places are learnt anew: a stream may change its order.
const FORGET_AFTER: u64 = 4_096;
/// Texts larger than this are not kept for the next record.
const KEEP_BYTES: usize = 1024 * 1024;
/// Rows more than these are not kept for the next record.
const KEEP_SLOTS: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct State {
    /// The columns of the row that is being read.
    pub(super) slots: Vec<Slot>,
    /// Rows that `each` has made, one behind the other.
    pub(super) rows: Vec<Slot>,
    pub(super) row_count: usize,
    /// The rows that are neither ignored nor refused.
    pub(super) accepted: Vec<usize>,
    /// Texts whose escapes or quotes were resolved.
    pub(super) scratch: String,
    /// For each place, its value in the object of this generation.
    pub(super) seen: Vec<Seen>,
    /// For each place, the names of its members, in the order in which they come.
    pub(super) known: Vec<Vec<Known>>,
    pub(super) generation: u64,
    pub(super) root_generation: u64,
    /// A place that came twice with two values, or more often.
    pub(super) duplicate: Option<usize>,
    /// How many members the root has.
    pub(super) names: usize,
    /// Whether one of them came twice.
    pub(super) repeated: bool,
    /// Those that are not among the known.
    pub(super) further_names: HashSet<String>,
    pub(super) list: List,
    pub(super) lookups: u64,
}

/// Where in the record a place was.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) generation: u64,
    pub(super) span: Span,
    /// Whether it has come twice.
    pub(super) again: bool,
}

/// A member's name, as records write it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) quoted: Box<[u8]>,
    pub(super) name: String,
    pub(super) node: Option<usize>,
    pub(super) generation: u64,
}

/// What stood where `each` expects its outermost list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Nothing, or null.
    Absent,
    /// Something else.
    Other,
    /// A list.
    Walked,
}

impl State {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            slots: vec![Slot::Absent; plan.columns.len()],
            rows: Vec::new(),
            row_count: 0,
            accepted: Vec::new(),
            scratch: String::new(),
            seen: vec![Seen::default(); plan.nodes.len()],
            known: plan.nodes.iter().map(|_| Vec::new()).collect(),
            generation: 0,
            root_generation: 0,
            duplicate: None,
            names: 0,
            repeated: false,
            further_names: HashSet::new(),
            list: List::Absent,
            lookups: 0,
        }
    }

    /// Makes ready for the next record.
    pub(super) fn reset(&mut self) {
        self.slots.fill(Slot::Absent);
        self.rows.clear();
        self.row_count = 0;
        self.accepted.clear();
        self.scratch.clear();
        if self.scratch.capacity() > KEEP_BYTES {
            self.scratch = String::new();
        }
        if self.rows.capacity() > KEEP_SLOTS {
            self.rows = Vec::new();
        }
        self.duplicate = None;
        self.names = 0;
        self.repeated = false;
        if !self.further_names.is_empty() {
            self.further_names.clear();
        }
        self.list = List::Absent;
        if self.lookups > FORGET_AFTER {
            self.lookups = 0;
            self.known.iter_mut().for_each(Vec::clear);
        }
    }

    /// A number for the next object or list: what was seen in another one is not taken for its own.
    #[inline]
    pub(super) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}
