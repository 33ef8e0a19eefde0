//! What windows keep, and for how long.

use std::{ops::ControlFlow, time::Duration};

use sqlparser::ast::{Expr, Query, Select, SelectItem, SetExpr, Visit, Visitor, visit_expressions};

use crate::{Environment, Interval, describe::intervals};

use super::{Finding, Level, select::name, text::Body};

pub(super) const WINDOW_EXCEEDS_RETENTION: &str = "window-exceeds-retention";
pub(super) const LARGE_STATE: &str = "large-state";
/// What an information line about state goes by; it is no fault, so it cannot be allowed.
const STATE: &str = "state";

/// Likewise for where windows begin.
const WINDOW_ORIGIN: &str = "window-origin";

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// What Kinesis keeps by default, and so what Terraform sets.
const DEFAULT_RETENTION: Duration = Duration::from_secs(24 * 3600);
/// Groups of all keys together above which a rule is called large: at some 100 bytes each about 1 GB.
const LARGE: u64 = 10_000_000;
/// Aggregates that keep every value.
const COLLECTING: [&str; 3] = ["array_agg", "median", "string_agg"];

/// One window of a rule.
struct Window {
    place: (usize, usize),
    /// As people write it: `hop(5 minutes, 1 day)`.
    shown: String,
    /// How much of the past it needs.
    width: Duration,
    /// How far apart windows begin; `None` for a session.
    starts: Option<Duration>,
    /// Bins that are kept for a key.
    bins: u64,
    /// Groups in a bin, beside the key.
    groups: u64,
}

pub(super) fn lint(body: &Body<'_>, environment: &Environment, keys: u64) -> Vec<Finding> {
    let mut windows = Windows { body, found: Vec::new(), collecting: None };
    let _ = body.query.visit(&mut windows);
    let mut findings: Vec<Finding> = too_long(body, environment, &windows.found).into_iter().collect();
    findings.extend(state(body, &windows, keys));
    findings.extend(windows.found.iter().filter_map(|window| origin(body, window)));
    findings
}

fn too_long(body: &Body<'_>, environment: &Environment, windows: &[Window]) -> Option<Finding> {
    let retention = environment.streams.events_retention.map_or(DEFAULT_RETENTION, Interval::duration);
    let longest = windows.iter().max_by_key(|window| window.width)?;
    if longest.width <= retention {
        return None;
    }
    let message = format!(
        "{} looks back further than the events stream keeps events ({})",
        longest.shown,
        Interval::from_duration(retention)
    );
    Some(
        Finding::new(WINDOW_EXCEEDS_RETENTION, Level::Warning, body.rule, longest.place, message).hint(
            "a restart goes on from its checkpoint and loses nothing; without one (first deploy, changed pack) the window \
             fills only as time passes. raise events_retention_hours in Terraform and streams.events_retention in the environment, \
             or allow it",
        ),
    )
}

/// Windows are counted from the epoch, which was a Thursday.
fn origin(body: &Body<'_>, window: &Window) -> Option<Finding> {
    let weeks = window.starts.filter(|starts| *starts >= WEEK && starts.as_secs() % WEEK.as_secs() == 0);
    weeks.map(|_| {
        let message = format!("{} begins on Thursdays at 00:00 UTC", window.shown);
        Finding::new(WINDOW_ORIGIN, Level::Info, body.rule, window.place, message).hint(
            "windows are counted from 1970-01-01, a Thursday, and take no other origin; hop(INTERVAL '1 day', INTERVAL '7 days') \
             ends on every day, and WHERE date_part('dow', window.end) = 1 keeps the one that ends on Monday at 00:00",
        )
    })
}

fn state(body: &Body<'_>, windows: &Windows<'_>, keys: u64) -> Option<Finding> {
    let place = windows.found.first()?.place;
    let mut total: u64 = 0;
    let mut parts = Vec::new();
    for window in &windows.found {
        let groups = window.bins.saturating_mul(window.groups);
        total = total.saturating_add(groups.saturating_mul(keys));
        parts.push(format!("{groups} of {}", window.shown));
    }
    let kept = windows.collecting.as_ref().map_or_else(String::new, |name| format!(", and every value for {name}"));
    let message = format!("about {total} groups of state: {keys} keys x ({}){kept}", parts.join(" + "));
    if total <= LARGE {
        return Some(Finding::new(STATE, Level::Info, body.rule, place, message));
    }
    Some(
        Finding::new(LARGE_STATE, Level::Warning, body.rule, place, message)
            .hint("a longer step or a shorter window keeps fewer bins; --keys sets how many keys are assumed"),
    )
}

struct Windows<'a> {
    body: &'a Body<'a>,
    found: Vec<Window>,
    /// The first aggregate that keeps every value.
    collecting: Option<String>,
}

impl Visitor for Windows<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_ref() {
            self.select(select);
        }
        ControlFlow::Continue(())
    }
}

impl Windows<'_> {
    fn select(&mut self, select: &Select) {
        let mut bucket: Option<Duration> = None;
        let mut windows = Vec::new();
        let mut collecting = None;
        for item in &select.projection {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { continue };
            let _: ControlFlow<()> = visit_expressions(expr, |part| {
                if let Expr::Function(function) = part {
                    match name(function).as_str() {
                        "tumble" | "hop" | "session" => windows.extend(self.window(part, &name(function))),
                        "date_bin" => bucket = bucket.or(lengths(part).first().copied()),
                        other if COLLECTING.contains(&other) => collecting = Some(other.to_owned()),
                        _ => {}
                    }
                }
                ControlFlow::Continue(())
            });
        }
        if windows.is_empty() {
            return;
        }
        for window in &mut windows {
            if let Some(bucket) = bucket {
                // Buckets cut a bin only where they are shorter than it.
                window.groups = whole(window.width, bucket).div_ceil(window.bins).max(1);
            }
        }
        self.found.append(&mut windows);
        self.collecting = self.collecting.take().or(collecting);
    }

    fn window(&self, call: &Expr, function: &str) -> Option<Window> {
        let lengths = lengths(call);
        let width = lengths.iter().max().copied()?;
        let bins = if function == "hop" { whole(width, lengths.first().copied()?) } else { 1 };
        let shown: Vec<String> = lengths.iter().map(|length| Interval::from_duration(*length).to_string()).collect();
        let shown = format!("{function}({})", shown.join(", "));
        let starts = if function == "session" { None } else { lengths.first().copied() };
        Some(Window { place: self.body.place(call), shown, width, starts, bins, groups: 1 })
    }
}

/// The intervals in a call, in its order.
fn lengths(call: &Expr) -> Vec<Duration> {
    intervals(&call.to_string().to_lowercase()).into_iter().map(Interval::duration).collect()
}

/// How often a length goes into another, at least once.
fn whole(length: Duration, part: Duration) -> u64 {
    u64::try_from(length.as_millis().div_ceil(part.as_millis().max(1))).unwrap_or(u64::MAX).max(1)
}
