//! From a record's bytes to an event, a control record, or poison with its reason.

use weir_anomaly::{PoisonReason, Timestamp};

use crate::{
    EpochUnit,
    fields::{Fields, Strict, is_whole_array, members},
    times::{self, NoTime},
};

/// What `sql/tables.sql` calls a source that a record does not name.
const NO_SOURCE: &str = "unknown";
/// What `sql/tables.sql` calls a metric that a record does not name.
const NO_METRIC: &str = "value";
/// How many of a record's fields a message names.
const NAMES: usize = 12;
/// So many characters of a value are shown.
const SHOWN: usize = 60;

/// What a record is.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// An event: rules see it.
    Event(Reading),
    /// One of Weir's own records.
    Control,
    /// Neither: it goes to quarantine.
    Poison(Fault),
}

/// The columns of an event, as the view `events` has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The event's own time.
    pub time: Timestamp,
    /// The reading; finite, and zero has no sign.
    pub value: f64,
    /// Where it was read; `unknown` where the record does not say.
    pub source: String,
    /// Whether the record says so.
    pub names_source: bool,
    /// What was read; `value` where the record does not say.
    pub metric: String,
    /// The event's own id.
    pub id: Option<String>,
}

impl Reading {
    /// The name of a metric of a source: `source/metric`.
    #[must_use]
    pub fn series(&self) -> String {
        format!("{}/{}", self.source, self.metric)
    }
}

/// Why a record is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The reason as the quarantine has it.
    pub reason: PoisonReason,
    /// What is wrong, for people.
    pub message: String,
    /// The unit that its `timestamp` seems to be in, where that is the fault.
    pub unit: Option<EpochUnit>,
}

impl Fault {
    /// A fault with its words.
    #[must_use]
    pub fn new(reason: PoisonReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), unit: None }
    }
}

/// Decodes a record as `sql/tables.sql` does with `decode = "tolerant"`.
///
/// ```
/// use weir_decode::{Decoded, decode};
///
/// let record = br#"{"timestamp":"2026-01-01T00:00:00Z","value":"21.5","source":17}"#;
/// let Decoded::Event(reading) = decode(record) else { unreachable!() };
/// assert_eq!((reading.series().as_str(), reading.value), ("17/value", 21.5));
/// ```
#[must_use]
pub fn decode(record: &[u8]) -> Decoded {
    match kind(record) {
        Ok(Some(reading)) => Decoded::Event(reading),
        Ok(None) => Decoded::Control,
        Err(fault) => Decoded::Poison(fault),
    }
}

/// The source that a record names, whether or not it is an event: what its place on the stream goes by.
#[must_use]
pub fn source(record: &[u8]) -> Option<String> {
    std::str::from_utf8(record).ok().and_then(|text| Fields::of(text).0.source)
}

/// The time that a record carries, whether or not it is an event: a control record has one too.
#[must_use]
pub fn time(record: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(record).ok()?;
    times::read(&Fields::of(text).0.timestamp?).ok()
}

/// The expression `kind` of the view `decoded`, in its order; `None` for a control record.
fn kind(record: &[u8]) -> Result<Option<Reading>, Fault> {
    let Ok(text) = std::str::from_utf8(record) else {
        return Err(Fault::new(PoisonReason::NotUtf8, "not UTF-8"));
    };
    let strict = serde_json::from_str::<Strict>(text);
    let is_array = text.trim_start().starts_with('[');
    let is_object = text.trim_start().starts_with('{');
    let (mut fields, whole) = if is_object { Fields::of(text) } else { Default::default() };
    match &strict {
        Ok(_) if !is_object => return Err(Fault::new(PoisonReason::NotAnObject, "JSON, but not an object")),
        Err(_) if (whole || (is_array && is_whole_array(text))) && objects_follow(text) => {
            return Err(Fault::new(PoisonReason::SeveralValues, "several JSON values, one behind the other"));
        }
        Err(error) => return Err(Fault::new(PoisonReason::NotJson, format!("not JSON: {error}"))),
        Ok(_) if !whole => return Err(Fault::new(PoisonReason::NotJson, "not JSON that can be read")),
        Ok(_) => {}
    }
    if fields.may_repeat() && members(text).len() < fields.count() {
        return Err(Fault::new(PoisonReason::RepeatedField, "a field stands twice in the object"));
    }
    if is_control(&fields) { Ok(None) } else { reading(fields, text).map(Some) }
}

/// Whether a record has exactly the fields that Weir's heartbeat writes.
fn is_control(fields: &Fields) -> bool {
    let own = match fields.weir.as_deref() {
        Some("heartbeat") => 1,
        Some("probe") if fields.has("probe_id") && fields.has("sent_at") => 3,
        _ => return false,
    };
    fields.count() == own + usize::from(fields.has("timestamp"))
}

/// Whether an object begins right behind the end of another.
fn objects_follow(text: &str) -> bool {
    text.match_indices('}').any(|(at, _)| text.get(at + 1..).is_some_and(|rest| rest.trim_start().starts_with('{')))
}

fn reading(fields: Fields, text: &str) -> Result<Reading, Fault> {
    let Some(timestamp) = fields.timestamp else {
        return Err(Fault::new(PoisonReason::BadTimestamp, missing("timestamp", text)));
    };
    let time = times::read(&timestamp).map_err(|fault| Fault {
        unit: match fault {
            NoTime::Number(unit) => unit,
            _ => None,
        },
        ..Fault::new(PoisonReason::BadTimestamp, format!("`{}` {fault}", shown(&timestamp)))
    })?;
    let Some(value) = fields.value else {
        return Err(Fault::new(PoisonReason::BadValue, missing("value", text)));
    };
    let value = number(&value)
        .ok_or_else(|| Fault::new(PoisonReason::BadValue, format!("`{}` is no finite number", shown(&value))))?;
    Ok(Reading {
        time,
        value,
        names_source: fields.source.is_some(),
        source: fields.source.unwrap_or_else(|| NO_SOURCE.to_owned()),
        metric: fields.metric.unwrap_or_else(|| NO_METRIC.to_owned()),
        id: fields.id,
    })
}

/// A number as SQL casts text to `DOUBLE`. The greatest double is none, and zero has no sign.
fn number(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    (value.abs() < f64::MAX).then_some(value + 0.0)
}

fn missing(name: &str, text: &str) -> String {
    let names: Vec<String> = members(text).into_iter().map(|(name, _)| name).collect();
    let (fields, more) = names.split_at(names.len().min(NAMES));
    match fields {
        [] => format!("no field `{name}`: the object is empty"),
        _ if fields.iter().any(|field| field == name) => format!("field `{name}` is null"),
        _ => {
            let more = if more.is_empty() { "" } else { ", …" };
            format!("no field `{name}`; there are {}{more}", fields.join(", "))
        }
    }
}

fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(record: &str) -> Reading {
        match decode(record.as_bytes()) {
            Decoded::Event(reading) => reading,
            other => panic!("{record}: {other:?}"),
        }
    }

    fn fault(record: &[u8]) -> (PoisonReason, String) {
        match decode(record) {
            Decoded::Poison(fault) => (fault.reason, fault.message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_text_of_any_kind() {
        let named =
            |source: &str| event(&format!("{{\"timestamp\":1767225600000,\"value\":1,\"source\":{source}}}")).source;
        assert_eq!(named("17"), "17");
        assert_eq!(named("1.50e2"), "1.50e2");
        assert_eq!(named("true"), "true");
        assert_eq!(named("null"), "unknown");
        assert_eq!(named("{\"a\": [1]}"), "{\"a\": [1]}");
        assert_eq!(named("\"a\\u00e9\\n\""), "aé\n");
    }

    #[test]
    fn a_value_is_a_finite_number_and_zero_has_no_sign() {
        let value = |value: &str| event(&format!("{{\"timestamp\":1767225600000,\"value\":{value}}}")).value;
        assert_eq!(value("96.03917960195423").to_bits(), 96.039_179_601_954_23_f64.to_bits());
        assert_eq!(value("-0.0").to_bits(), 0.0_f64.to_bits());
        assert_eq!(value("\"-0\"").to_bits(), 0.0_f64.to_bits());
        for bad in ["\"high\"", "null", "true", "\"inf\"", "\"nan\"", "{}", "1.7976931348623157e308", "\"1,5\""] {
            let record = format!("{{\"timestamp\":1767225600000,\"value\":{bad}}}");
            assert_eq!(fault(record.as_bytes()).0, PoisonReason::BadValue, "{bad}");
        }
    }

    #[test]
    fn a_record_that_is_no_event_says_why() {
        assert_eq!(fault(b"{}").1, "no field `timestamp`: the object is empty");
        assert_eq!(fault(b"{\"time\":1,\"v\":2}").1, "no field `timestamp`; there are time, v");
        assert_eq!(fault(b"{\"timestamp\":null}").1, "field `timestamp` is null");
        assert_eq!(fault(b"{\"timestamp\":\"2026-01-01\"}").1, "no field `value`; there are timestamp");
        let glued = b"{\"timestamp\":\"2026-01-01\",\"value\":1}{\"timestamp\":\"2026-01-01\",\"value\":2}";
        assert_eq!(fault(glued).0, PoisonReason::SeveralValues);
        assert_eq!(fault(b"{\"timestamp\":1767225600000,\"value\":1} oops").0, PoisonReason::NotJson);
        assert_eq!(fault(b"[1]"), (PoisonReason::NotAnObject, "JSON, but not an object".to_owned()));
        assert_eq!(fault(b"{\"value\":1,\"v\":2,\"v\":3}").0, PoisonReason::RepeatedField);
        assert_eq!(fault(&[0xff]).0, PoisonReason::NotUtf8);
        assert!(fault(b"").1.starts_with("not JSON"));
    }

    #[test]
    fn a_control_record_has_the_fields_of_one_and_no_other() {
        for control in [
            r#"{"weir":"heartbeat"}"#,
            r#"{"timestamp":null,"weir":"heartbeat"}"#,
            r#"{"weir":"probe","probe_id":"a","sent_at":null}"#,
            r#"{"weir":"probe","probe_id":"a","sent_at":"b","timestamp":"c"}"#,
        ] {
            assert_eq!(decode(control.as_bytes()), Decoded::Control, "{control}");
        }
        for (other, reason) in [
            (r#"{"weir":"heartbeat","value":1}"#, PoisonReason::BadTimestamp),
            (r#"{"weir":"probe","timestamp":"2026-01-01"}"#, PoisonReason::BadValue),
        ] {
            assert_eq!(fault(other.as_bytes()).0, reason, "{other}");
        }
        assert_eq!(event(r#"{"timestamp":"2026-01-01","value":1,"weir":"north"}"#).value, 1.0);
    }

    #[test]
    fn the_unit_of_a_wrong_time_is_known() {
        let Decoded::Poison(fault) = decode(b"{\"timestamp\":1767225600,\"value\":1}") else { panic!() };
        assert_eq!((fault.reason, fault.unit), (PoisonReason::BadTimestamp, Some(EpochUnit::Seconds)));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_stop_it(record in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), text in ".{0,200}") {
            let _ = (decode(&record), decode(text.as_bytes()), source(&record));
        }
    }
}
