//! What stands around the records.

use weir_anomaly::kpl;

use super::{InferError, draft::Draft};
use crate::{
    envelope::{cloudwatch_logs::Message, gzip},
    json::Cursor,
    limits::{MAX_ENVELOPES, MAX_UNPACKED_BYTES},
};

/// Records without their envelope.
pub(super) struct Opened {
    /// The texts inside, in order.
    pub(super) units: Vec<String>,
    /// What a record is without its wrappings: what samples are made of.
    pub(super) records: Vec<String>,
    pub(super) eventbridge: bool,
    pub(super) logs: bool,
}

/// How many of the records must agree for a form to be theirs.
pub(super) fn most(count: usize, of: usize) -> bool {
    count * 10 >= of * 9 && count > 0
}

pub(super) fn open(records: &[&[u8]], draft: &mut Draft) -> Result<Opened, InferError> {
    if records.is_empty() {
        return Err(InferError::NoRecords);
    }
    let mut bytes: Vec<Vec<u8>> = records.iter().map(|record| record.to_vec()).collect();
    for _ in 0..MAX_ENVELOPES {
        if most(bytes.iter().filter(|bytes| kpl::deaggregate(bytes).is_some()).count(), bytes.len()) {
            draft.envelope.push("kpl");
            bytes = bytes
                .iter()
                .flat_map(|bytes| {
                    kpl::deaggregate(bytes)
                        .unwrap_or_default()
                        .into_iter()
                        .map(|user| user.data.to_vec())
                        .collect::<Vec<_>>()
                })
                .collect();
        } else if most(bytes.iter().filter(|bytes| bytes.starts_with(&gzip::MAGIC)).count(), bytes.len()) {
            draft.envelope.push("gzip");
            bytes = bytes.iter().filter_map(|bytes| gzip::unpack(bytes, MAX_UNPACKED_BYTES).ok()).collect();
        } else {
            break;
        }
    }
    let texts: Vec<String> = bytes.iter().filter_map(|bytes| String::from_utf8(bytes.clone()).ok()).collect();
    if !most(texts.len(), bytes.len()) {
        let start: Vec<String> = bytes.iter().flatten().take(8).map(|byte| format!("{byte:02x}")).collect();
        return Err(InferError::Unknown(start.join(" ")));
    }
    let logs: Vec<Option<Message>> = texts.iter().filter_map(|text| Message::read(text.as_bytes()).ok()).collect();
    if most(logs.len(), texts.len()) {
        // The envelope unpacks gzip itself.
        draft.envelope.retain(|name| *name != "gzip");
        draft.envelope.push("cloudwatch_logs");
        let units = logs
            .into_iter()
            .flatten()
            .flat_map(|message| message.events.into_iter().map(|event| event.message))
            .collect();
        return Ok(Opened { units, records: texts, eventbridge: false, logs: true });
    }
    Ok(framing(texts, draft))
}

fn framing(texts: Vec<String>, draft: &mut Draft) -> Opened {
    let values: Vec<Vec<&str>> = texts.iter().filter_map(|text| json_values(text)).collect();
    if most(values.len(), texts.len()) {
        let several = values.iter().any(|values| values.len() > 1);
        let lines = texts
            .iter()
            .all(|text| text.trim_end().lines().all(|line| json_values(line).is_some_and(|v| v.len() <= 1)));
        let units: Vec<String> = values.iter().flatten().map(|value| (*value).to_owned()).collect();
        let bridged = |text: &String| matches!(serde_json::from_str(text), Ok(serde_json::Value::Object(event)) if event.contains_key("detail-type") && event.get("detail").is_some_and(serde_json::Value::is_object));
        let eventbridge = !several && most(units.iter().filter(|text| bridged(text)).count(), units.len());
        draft.envelope.extend(match (several, lines, eventbridge) {
            (true, true, _) => Some("lines"),
            (true, false, _) => Some("values"),
            (false, _, true) => Some("eventbridge"),
            (false, _, false) => None,
        });
        return Opened { units, records: texts, eventbridge, logs: false };
    }
    let many = texts.iter().any(|text| text.trim_end().contains('\n'));
    if many {
        draft.envelope.push("lines");
    }
    let units =
        texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    Opened { units, records: texts, eventbridge: false, logs: false }
}

/// The JSON values of a text, objects and lists only; `None` when it is something else.
fn json_values(text: &str) -> Option<Vec<&str>> {
    let mut cursor = Cursor::new(text);
    let mut values = Vec::new();
    while !cursor.at_end() {
        let start = cursor.position();
        cursor.skip(0).ok()?;
        values.push(cursor.slice(start, cursor.position()));
    }
    values.iter().all(|value| value.starts_with(['{', '['])).then_some(values)
}
