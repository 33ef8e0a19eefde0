//! What cannot be computed costs the rules that wanted it, and nothing else: the row is left out, counted and said once.
//!
//! A function may refuse a value that a record holds, or panic over it. Work over a batch that fails is repeated over its
//! halves, until the rows that cannot be computed stand alone.

use std::any::Any;
use std::cell::Cell;
use std::fmt::Display;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Once};

use crate::exec::stats::Stats;
use crate::program::{NodeId, Program};

/// The most characters of an error that are kept as the sample: it may quote a whole record.
const SAMPLE_CHARS: usize = 300;

/// Counts what the rules of one operator, or one rule, could not compute.
#[derive(Debug, Clone)]
pub(crate) struct Failures {
    stats: Arc<Stats>,
    rules: Arc<[usize]>,
}

impl Failures {
    /// Of an operator: every rule that its rows reach.
    pub(crate) fn of_operator(stats: &Arc<Stats>, program: &Program, operator: NodeId) -> Self {
        let rules = program.rules.iter().enumerate().filter(|(_, rule)| rule.reads(operator)).map(|(n, _)| n).collect();
        Self { stats: Arc::clone(stats), rules }
    }

    /// How many rows were left out so far.
    pub(crate) fn count(&self) -> u64 {
        let counters = self.rules.iter().filter_map(|rule| self.stats.rules.get(*rule));
        counters.map(|counters| counters.errors.load(Ordering::Relaxed)).sum()
    }

    /// Of one rule.
    pub(crate) fn of_rule(stats: &Arc<Stats>, rule: Option<usize>) -> Self {
        Self { stats: Arc::clone(stats), rules: rule.into_iter().collect() }
    }

    /// The rules' names, for an error that ends the run.
    pub(crate) fn names(&self) -> String {
        let names =
            self.rules.iter().filter_map(|rule| self.stats.rules.get(*rule)).map(|counters| counters.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Counts rows that are left out, and says why where nothing was said of the rule for a while.
    pub(crate) fn add(&self, rows: usize, error: &str) {
        for rule in self.rules.iter() {
            let Some(counters) = self.stats.rules.get(*rule) else { continue };
            counters.errors.fetch_add(rows as u64, Ordering::Relaxed);
            counters.say_error(&sample(error));
        }
    }

    /// Works over a range of rows; what fails is halved until it is one row, which is left out and counted.
    pub(crate) fn over<T, E: Display>(
        &self,
        rows: Range<usize>,
        work: &mut impl FnMut(Range<usize>) -> Result<T, E>,
    ) -> Vec<T> {
        let mut done = Vec::new();
        over(rows, work, &mut |rows, error| self.add(rows.len(), &error), &mut done);
        done
    }
}

/// The same; what is to be done with a single row that fails is `failed`'s matter.
pub(crate) fn over<T, E: Display>(
    rows: Range<usize>,
    work: &mut impl FnMut(Range<usize>) -> Result<T, E>,
    failed: &mut impl FnMut(Range<usize>, String),
    done: &mut Vec<T>,
) {
    match attempt(|| work(rows.clone())) {
        Ok(part) => done.push(part),
        Err(error) if rows.len() <= 1 => failed(rows, error),
        Err(_) => {
            let middle = rows.start + rows.len() / 2;
            over(rows.start..middle, work, failed, done);
            over(middle..rows.end, work, failed, done);
        }
    }
}

/// Works once; a panic is an error too, and is not printed.
pub(crate) fn attempt<T, E: Display>(work: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    keep_panics_silent();
    let outer = ATTEMPTING.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    ATTEMPTING.set(outer);
    match done {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(panic) => Err(format!("a function panicked: {}", said(panic.as_ref()))),
    }
}

thread_local! {
    /// Whether this thread's panics are caught.
    static ATTEMPTING: Cell<bool> = const { Cell::new(false) };
}

/// A panic that is caught here is counted as an error; each of thousands on standard error would hide what matters there.
fn keep_panics_silent() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !ATTEMPTING.get() {
                print(info);
            }
        }));
    });
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it does not say why".to_owned())
}

/// The first of what an error says, without DataFusion's trace.
fn sample(error: &str) -> String {
    let error = error.split("\n\nbacktrace:").next().unwrap_or_default().trim();
    match error.char_indices().nth(SAMPLE_CHARS) {
        Some((at, _)) => format!("{}…", error.get(..at).unwrap_or_default()),
        None => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_cut_out_and_the_rest_is_done_in_order() {
        let bad = [3, 4, 9];
        let mut failed = Vec::new();
        let mut done = Vec::new();
        let mut work = |rows: Range<usize>| {
            assert!(!rows.contains(&4), "a panic counts like an error");
            if rows.clone().any(|row| bad.contains(&row)) { Err("bad") } else { Ok(rows.collect::<Vec<_>>()) }
        };
        over(0..10, &mut work, &mut |rows, error| failed.push((rows.start, error)), &mut done);
        assert_eq!(done.concat(), [0, 1, 2, 5, 6, 7, 8]);
        let texts: Vec<&str> = failed.iter().map(|(_, e)| e.as_str()).collect();
        assert_eq!(failed.iter().map(|(row, _)| *row).collect::<Vec<_>>(), bad);
        assert_eq!(texts, ["bad", "a function panicked: a panic counts like an error", "bad"]);
    }

    #[test]
    fn a_sample_is_short_and_has_no_trace() {
        assert_eq!(sample("Cast error\n\nbacktrace: 1\n2"), "Cast error");
        assert_eq!(sample(&"é".repeat(1000)).chars().count(), SAMPLE_CHARS + 1);
    }
}
