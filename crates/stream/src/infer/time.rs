//! Which place is the time.

use super::{
    column_name,
    draft::{Draft, DraftTime},
    stats::Leaf,
};
use crate::{
    declaration::Scope,
    path::Step,
    time::{TimeFormat, TimeReader, Zone},
};

/// Names of times, and how sure they are.
const TIME_NAMES: [(&str, usize); 22] = [
    ("timestamp", 10),
    ("event_time", 10),
    ("time", 9),
    ("ts", 9),
    ("datetime", 9),
    ("time_unix_nano", 9),
    ("collector_tstamp", 9),
    ("time_local", 8),
    ("time_iso8601", 8),
    ("start", 7),
    ("pickup_datetime", 7),
    ("last_seen", 7),
    ("approximate_creation_date_time", 7),
    ("created", 6),
    ("created_at", 6),
    ("updated_at", 5),
    ("date", 5),
    ("at", 5),
    ("t", 4),
    ("end", 4),
    ("start_time_unix_nano", 3),
    ("etl_tstamp", 3),
];
/// Units that end a time's name, as in `ts_ms`.
const UNITS: [&str; 8] = ["_ms", "_us", "_ns", "_millis", "_micros", "_nanos", "_seconds", "_utc"];

/// Whether values that can be read as times are meant so: a date alone may be a version.
pub(super) fn is_timely(leaf: &Leaf) -> bool {
    time_name(&leaf.name()) > 0 || leaf.stats.distinct.keys().all(|text| text.len() > "2026-01-01".len())
}

/// How likely a name is a time's; 0 is not at all.
pub(super) fn time_name(name: &str) -> usize {
    let column = column_name(name);
    let column = UNITS.iter().find_map(|unit| column.strip_suffix(unit)).unwrap_or(&column);
    let known = TIME_NAMES.iter().find(|(known, _)| *known == column).map(|(_, score)| *score);
    known.unwrap_or_else(|| {
        let ends = ["timestamp", "_time", "_at", "_ts", "datetime", "tstamp", "_date"];
        if ends.iter().any(|end| column.ends_with(end)) { 6 } else { 0 }
    })
}

/// Chooses the time, and takes it from the leaves when it is only that.
pub(super) fn choose(leaves: &mut [Leaf], draft: &mut Draft) {
    if draft.envelope.contains(&"cloudwatch_logs") {
        return;
    }
    let mut candidates: Vec<(usize, usize, &'static str)> = leaves
        .iter()
        .enumerate()
        .filter(|(_, leaf)| leaf.everywhere() && (leaf.of != Scope::Record || leaf.path.levels() == 0))
        .filter_map(|(index, leaf)| {
            let form = leaf.stats.forms.best(leaf.stats.present)?;
            let name = time_name(&leaf.name());
            let epoch = form.starts_with("unix");
            if !is_timely(leaf) {
                return None;
            }
            // A number is a time by its name too: identifiers have its magnitude.
            if epoch && name == 0 && leaf.path.steps.iter().all(|step| matches!(step, Step::Member(_))) {
                return None;
            }
            let place = match leaf.of {
                Scope::Row => 4,
                Scope::Envelope => 6,
                Scope::Record => 1,
            };
            let varied = usize::from(leaf.stats.distinct.len() > 1) * 2;
            Some(((name * 2 + place + varied).saturating_sub(leaf.path.steps.len()), index, form))
        })
        .collect();
    candidates.sort_by_key(|(score, index, _)| (std::cmp::Reverse(*score), *index));
    let Some((_, index, form)) = candidates.first().copied() else {
        draft.unsure.push(
            "the time: no field looks like one in every record; without `time` the stream goes by arrival".to_owned(),
        );
        return;
    };
    let Some(leaf) = leaves.get(index) else { return };
    let others: Vec<String> = candidates
        .iter()
        .skip(1)
        .filter_map(|(_, index, _)| leaves.get(*index))
        .map(|leaf| match leaf.path.steps.as_slice() {
            [Step::Element(index)] => format!("column {}", index + 1),
            _ => leaf.path.to_string(),
        })
        .collect();
    let example = leaf.stats.distinct.keys().filter(|text| reads(form, text)).min().cloned().unwrap_or_default();
    let fits = leaf.stats.forms.fits(form);
    let mut why = format!(
        "time: {fits} of {} values are {}, such as {}",
        leaf.stats.present,
        described(form),
        crate::reason::excerpt(&example)
    );
    if !others.is_empty() {
        why.push_str(&format!("; other candidates: {}", others.join(", ")));
    }
    if !form.starts_with("unix") && !zoned(&example, form) {
        draft
            .unsure
            .push("the zone of the time: it names none, so that it is UTC; else zone = \"Europe/Berlin\"".to_owned());
    }
    if matches!(form, "%m/%d/%Y %H:%M:%S%.f" | "%d/%m/%Y %H:%M:%S%.f") {
        draft.unsure.push("which of the time's first two numbers is the month".to_owned());
    }
    draft.time = Some(DraftTime { path: path_text(leaf), of: leaf.of, format: form.to_owned(), why });
}

fn reads(form: &str, text: &str) -> bool {
    TimeFormat::parse(form)
        .is_ok_and(|format| TimeReader { formats: vec![format], zone: Zone::UTC }.read_text(text).is_ok())
}

fn zoned(example: &str, form: &str) -> bool {
    match form {
        "apache" | "rfc2822" => true,
        "rfc3339" | "iso8601" => {
            example.ends_with(['Z', 'z'])
                || example
                    .get(10..)
                    .is_some_and(|rest| rest.contains('+') || rest.contains('-') || rest.contains("UTC"))
        }
        _ => false,
    }
}

fn described(form: &str) -> String {
    match form {
        "unix" => "seconds since 1970".to_owned(),
        "unix_ms" => "milliseconds since 1970".to_owned(),
        "unix_us" => "microseconds since 1970".to_owned(),
        "unix_ns" => "nanoseconds since 1970".to_owned(),
        other => other.to_owned(),
    }
}

/// A path as the file writes it; a column's number from 1.
pub(super) fn path_text(leaf: &Leaf) -> String {
    match leaf.path.steps.as_slice() {
        [Step::Element(index)] => (index + 1).to_string(),
        // A bare number is the number of a column.
        [Step::Member(name)] if name.bytes().all(|byte| byte.is_ascii_digit()) => format!("$[\"{name}\"]"),
        _ => leaf.path.to_string(),
    }
}
