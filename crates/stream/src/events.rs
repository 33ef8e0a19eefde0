//! Weir's own contract as the built-in stream `events`.
//!
//! docs/contracts.md, "Event" and "Times", is the contract; this is how the decoder says it. Its reasons are the words that
//! Weir has always used (`bad_timestamp`, `bad_value`), any name that stands twice at the top level makes a record poison,
//! and control records are known by exactly the fields that Weir writes.

use crate::{
    declaration::{Declaration, Field, FieldType, Scope, TimeField},
    decode::contract_times,
    envelope::{Envelope, Framing},
    format::Format,
    path::Path,
    row::Value,
    time::{TimeReader, Zone},
};

/// The declaration of the built-in stream: columns `timestamp`, `value`, `source`, `metric`, `id`, `tags` and `event` (the whole
/// record's JSON). `series` is the view's.
#[must_use]
pub fn declaration() -> Declaration {
    let times = TimeReader { formats: contract_times(), zone: Zone::UTC };
    let field = |name: &str, kind: FieldType| Field {
        name: name.to_owned(),
        kind,
        path: Path::member(name),
        of: Scope::Row,
        required: false,
        default: None,
        time: times.clone(),
    };
    let default = |field: Field, text: &str| Field { default: Some(Value::Text(text.to_owned())), ..field };
    Declaration {
        name: "events".to_owned(),
        stream: None,
        envelope: Envelope { wrappings: Vec::new(), framing: Framing::One },
        each: None,
        format: Format::Json,
        time: Some(TimeField { path: Path::member("timestamp"), of: Scope::Row, reader: times.clone() }),
        key: None,
        fields: vec![
            field("timestamp", FieldType::Timestamp),
            Field { required: true, ..field("value", FieldType::Double) },
            default(field("source", FieldType::Text), "unknown"),
            default(field("metric", FieldType::Text), "value"),
            field("id", FieldType::Text),
            field("tags", FieldType::Json),
            Field { path: Path::default(), ..field("event", FieldType::Json) },
        ],
        metrics: vec!["value".to_owned()],
        ignore: None,
        heartbeat: true,
        null: Vec::new(),
        samples: Vec::new(),
        contract: true,
    }
}

#[cfg(test)]
mod tests;
