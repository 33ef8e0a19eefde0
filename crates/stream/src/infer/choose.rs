//! Which place is the time, which the key, which are metrics.

use super::{
    MAX_PROPOSED, column_name,
    draft::{Draft, DraftField, DraftTime},
    stats::Leaf,
    times::FORMS,
};
use crate::declaration::{FieldType, Scope};

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
/// Names of keys, the likeliest first.
const KEY_NAMES: [&str; 26] = [
    "device",
    "device_id",
    "sensor",
    "sensor_id",
    "instance_id",
    "ticker",
    "symbol",
    "host",
    "hostname",
    "srcaddr",
    "user",
    "user_id",
    "user_name",
    "username",
    "service_name",
    "host_name",
    "container_name",
    "pickup_location_id",
    "source",
    "metric_name",
    "account",
    "name",
    "client",
    "remote_addr",
    "type",
    "id",
];
/// Names of numbers that are no quantities.
const CODES: [&str; 18] = [
    "id",
    "status",
    "port",
    "code",
    "version",
    "protocol",
    "zone",
    "account",
    "number",
    "type",
    "year",
    "month",
    "day",
    "key",
    "pid",
    "namespace",
    "lat",
    "lon",
];

/// How likely a name is a time's; 0 is not at all.
pub(super) fn time_name(name: &str) -> usize {
    let column = column_name(name);
    let known = TIME_NAMES.iter().find(|(known, _)| *known == column).map(|(_, score)| *score);
    known.unwrap_or_else(|| {
        let ends = ["timestamp", "_time", "_at", "_ts", "datetime", "tstamp", "_date"];
        if ends.iter().any(|end| column.ends_with(end)) { 6 } else { 0 }
    })
}

/// Chooses the time, and takes it from the leaves when it is only that.
pub(super) fn time(leaves: &mut [Leaf], draft: &mut Draft) {
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
            // A number is a time by its name too: identifiers have its magnitude.
            if epoch && name == 0 && leaf.path.steps.iter().all(|step| matches!(step, crate::path::Step::Member(_))) {
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
        .map(|leaf| leaf.path.to_string())
        .collect();
    let example = leaf.stats.distinct.keys().min().cloned().unwrap_or_default();
    let mut why = format!(
        "time: all {} values are {}, such as {}",
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
fn path_text(leaf: &Leaf) -> String {
    match leaf.path.steps.as_slice() {
        [crate::path::Step::Element(index)] => (index + 1).to_string(),
        _ => leaf.path.to_string(),
    }
}

/// Proposes fields with their types, the key, and the metrics.
pub(super) fn fields(leaves: &mut Vec<Leaf>, draft: &mut Draft) {
    let is_time =
        |leaf: &Leaf| draft.time.as_ref().is_some_and(|time| time.path == path_text(leaf) && time.of == leaf.of);
    leaves.retain(|leaf| {
        if leaf.stats.present == 0 && !leaf.path.steps.is_empty() {
            draft.left_out.push(format!("{} (always null)", leaf.path));
        }
        leaf.stats.present > 0 && !is_time(leaf)
    });
    // What every record has stands before what few have, when not all can be proposed.
    if leaves.len() > MAX_PROPOSED {
        let mut order: Vec<usize> = (0..leaves.len()).collect();
        order.sort_by_key(|index| {
            leaves.get(*index).map(|leaf| (std::cmp::Reverse(leaf.stats.present), leaf.path.steps.len()))
        });
        let kept: Vec<usize> = order.into_iter().take(MAX_PROPOSED).collect();
        let mut index = 0;
        leaves.retain(|leaf| {
            index += 1;
            let keep = kept.contains(&(index - 1));
            if !keep {
                draft.left_out.push(leaf.path.to_string());
            }
            keep
        });
    }
    let mut named: Vec<(usize, DraftField)> = Vec::new();
    for (index, leaf) in leaves.iter().enumerate() {
        let name = free_name(leaf, named.iter().map(|(_, field)| field.name.as_str()).collect());
        let (kind, format, comment) = kind(leaf, draft);
        let mut field = DraftField::of(leaf, name, kind);
        (field.path, field.format, field.comment) = (path_text(leaf), format, comment);
        named.push((index, field));
    }
    key(leaves, &mut named, draft);
    draft.metrics = named
        .iter()
        .filter(|(index, field)| leaves.get(*index).is_some_and(|leaf| is_metric(leaf, field, draft)))
        .map(|(_, field)| field.name.clone())
        .collect();
    draft.fields = named.into_iter().map(|(_, field)| field).collect();
}

/// The last name of the path, with as much of what stands before it as makes it the only one.
fn free_name(leaf: &Leaf, taken: Vec<&str>) -> String {
    use crate::path::Step;
    let parts: Vec<String> = leaf
        .path
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Member(name) => Some(name.clone()),
            Step::Where { equals, .. } => Some(equals.clone()),
            Step::Element(index) => Some(format!("column_{}", index + 1)),
            Step::Every => None,
        })
        // Wrappers of a value say nothing: {"N":"42"}, {"value":{"stringValue":…}}.
        .filter(|name| {
            !matches!(name.as_str(), "N" | "S" | "BOOL" | "value" | "stringValue" | "intValue" | "doubleValue")
        })
        .collect();
    let reserved = ["event_time", "window", "log_group", "log_stream"];
    let mut names = (1..=parts.len()).map(|count| {
        column_name(&parts.iter().skip(parts.len() - count).map(String::as_str).collect::<Vec<_>>().join("_"))
    });
    let free = names.find(|name| !taken.contains(&name.as_str()) && !reserved.contains(&name.as_str()));
    let base = column_name(&parts.join("_"));
    let base = if parts.is_empty() { "value".to_owned() } else { base };
    free.unwrap_or_else(|| {
        (0..)
            .map(|n| if n == 0 { base.clone() } else { format!("{base}_{}", n + 1) })
            .find(|name| !taken.contains(&name.as_str()) && !reserved.contains(&name.as_str()))
            .unwrap_or(base.clone())
    })
}

fn kind(leaf: &Leaf, draft: &Draft) -> (FieldType, Option<String>, Option<String>) {
    let stats = &leaf.stats;
    let parts = !draft.format.is_empty();
    let quoted_number = leaf.path.steps.last() == Some(&crate::path::Step::Member("N".to_owned()));
    let (numeric, whole) =
        if (parts || quoted_number) && stats.padded == 0 { (stats.numeric, stats.whole) } else { (0, 0) };
    if stats.nested > 0 || stats.present == 0 {
        return (FieldType::Json, None, None);
    }
    if stats.booleans == stats.present {
        return (FieldType::Boolean, None, None);
    }
    if stats.integers == stats.present || whole == stats.present {
        let quantity =
            ["temperature", "price", "value", "humidity", "pressure", "watts", "amount", "latency", "duration", "fare"];
        let name = column_name(&leaf.name());
        if quantity.iter().any(|word| name.contains(word)) {
            return (FieldType::Double, None, Some("whole numbers in the sample".to_owned()));
        }
        return (FieldType::Integer, None, None);
    }
    if stats.is_number() || numeric == stats.present {
        return (FieldType::Double, None, None);
    }
    if let Some(form) = stats.forms.best(stats.present)
        && stats.texts == stats.present
        && !form.starts_with("unix")
        && FORMS.contains(&form)
    {
        let format = (form != "rfc3339").then(|| form.to_owned());
        return (FieldType::Timestamp, format, None);
    }
    if stats.texts == stats.present {
        return (FieldType::Text, None, None);
    }
    (FieldType::Text, None, Some("values of several types in the sample".to_owned()))
}

fn key(leaves: &[Leaf], named: &mut [(usize, DraftField)], draft: &mut Draft) {
    let mut candidates: Vec<(usize, usize)> = named
        .iter()
        .enumerate()
        .filter_map(|(at, (index, field))| {
            let leaf = leaves.get(*index)?;
            if !matches!(field.kind, FieldType::Text | FieldType::Integer) || !leaf.everywhere() {
                return None;
            }
            let name =
                KEY_NAMES.iter().position(|known| *known == field.name || field.name.ends_with(&format!("_{known}")));
            let name = name.map_or(0, |position| KEY_NAMES.len() + 4 - position);
            // What is new in every record names no series; what is always the same names one.
            let (distinct, present) = (leaf.stats.distinct.len(), leaf.stats.present);
            let repeats = if distinct * 2 > present && present > 4 {
                0
            } else if distinct > 1 {
                12
            } else {
                4
            };
            let text = usize::from(field.kind == FieldType::Text) * 2;
            if repeats == 0 && name < 10 {
                return None;
            }
            (name > 0 || (field.kind == FieldType::Text && repeats > 4)).then_some((name + repeats + text, at))
        })
        .collect();
    candidates.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
    let names: Vec<String> =
        candidates.iter().filter_map(|(_, at)| named.get(*at)).map(|(_, field)| field.name.clone()).collect();
    let Some((_, at)) = candidates.first().copied() else {
        draft.unsure.push("the key: no field names a series".to_owned());
        return;
    };
    let Some((index, field)) = named.get_mut(at) else { return };
    field.required = true;
    let distinct = leaves.get(*index).map_or(0, |leaf| leaf.stats.distinct.len());
    let mut why = format!("key: {distinct} different values");
    let others: Vec<String> = names.into_iter().skip(1).take(4).collect();
    if !others.is_empty() {
        why.push_str(&format!("; other candidates: {}", others.join(", ")));
    }
    draft.key = Some((field.name.clone(), why));
}

fn is_metric(leaf: &Leaf, field: &DraftField, draft: &Draft) -> bool {
    let name = &field.name;
    let code = CODES.iter().any(|code| {
        name == code
            || name.ends_with(&format!("_{code}"))
            || (*code == "port" && name.ends_with("port"))
            || (*code == "id" && name.ends_with("id"))
    });
    let key = draft.key.as_ref().is_some_and(|(key, _)| key == name);
    let epoch = leaf.stats.forms.best(leaf.stats.present).is_some();
    matches!(field.kind, FieldType::Double | FieldType::Integer) && !code && !key && !epoch
}
