//! Which fields there are and their types; which names a series, which are metrics.

use super::{
    MAX_PROPOSED, column_name,
    draft::{Draft, DraftField},
    stats::Leaf,
    time::{is_timely, path_text},
};
use crate::{declaration::FieldType, path::Step};

/// Names of keys, the likeliest first.
const KEY_NAMES: [&str; 30] = [
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
    "service",
    "route",
    "merchant",
    "merchant_id",
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

/// Names of what has fractions sooner or later.
const QUANTITIES: [&str; 13] = [
    "temperature",
    "price",
    "value",
    "humidity",
    "pressure",
    "watts",
    "amount",
    "latency",
    "duration",
    "fare",
    "rate",
    "severity",
    "score",
];
/// Names of words that say what a record is, not whose it is.
const NO_KEYS: [&str; 16] = [
    "event_name",
    "level",
    "log_level",
    "method",
    "environment",
    "request_method",
    "action",
    "status",
    "unit",
    "currency",
    "event_type",
    "region",
    "record_format",
    "conclusion",
    "network_status",
    "metric_stream_name",
];

/// Proposes fields with their types, the key, and the metrics.
pub(super) fn propose(leaves: &mut Vec<Leaf>, draft: &mut Draft) {
    let is_time =
        |leaf: &Leaf| draft.time.as_ref().is_some_and(|time| time.path == path_text(leaf) && time.of == leaf.of);
    leaves.retain(|leaf| {
        if leaf.stats.present == 0 && !leaf.path.steps.is_empty() {
            match leaf.path.steps.as_slice() {
                [Step::Element(_)] => draft.empty_columns += 1,
                _ => draft.left_out.push(format!("{} (always null)", leaf.path)),
            }
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
    if stats.nested > 0 || stats.present == 0 {
        return (FieldType::Json, None, None);
    }
    if stats.booleans == stats.present {
        return (FieldType::Boolean, None, None);
    }
    // Texts are numbers where everything is text, and where DynamoDB says so.
    let says_so = leaf.path.steps.last() == Some(&Step::Member("N".to_owned()));
    let texts = (!draft.format.is_empty() || says_so) && stats.padded == 0;
    let numbers = stats.integers + stats.doubles + if texts { stats.numeric } else { 0 };
    let whole = stats.integers + if texts { stats.whole } else { 0 };
    if numbers > 0 && numbers * 10 >= stats.present * 9 {
        let odd = stats.present - numbers;
        let comment = (odd > 0).then(|| format!("{odd} of {} values are no number: poison", stats.present));
        let quantity = QUANTITIES.iter().any(|word| column_name(&leaf.name()).contains(word));
        return match whole == numbers {
            true if quantity => {
                (FieldType::Double, None, Some(comment.unwrap_or_else(|| "whole numbers in the sample".to_owned())))
            }
            true => (FieldType::Integer, None, comment),
            false => (FieldType::Double, None, comment),
        };
    }
    if stats.texts < stats.present {
        return (FieldType::Text, None, Some("values of several types in the sample".to_owned()));
    }
    match stats.forms.best(stats.present).filter(|form| !form.starts_with("unix") && is_timely(leaf)) {
        Some(form) => (FieldType::Timestamp, (form != "rfc3339").then(|| form.to_owned()), None),
        None => (FieldType::Text, None, None),
    }
}

fn key(leaves: &[Leaf], named: &mut [(usize, DraftField)], draft: &mut Draft) {
    let mut candidates: Vec<(usize, usize)> = named
        .iter()
        .enumerate()
        .filter_map(|(at, (index, field))| {
            let leaf = leaves.get(*index)?;
            let numeric = field.kind == FieldType::Text && leaf.stats.numeric == leaf.stats.present;
            let fits = matches!(field.kind, FieldType::Text | FieldType::Integer) && !numeric;
            if !fits || !leaf.everywhere() || NO_KEYS.contains(&field.name.as_str()) {
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
                1
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
