//! What one record of the anomalies stream is.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{AnomalyId, MAX_KEY_BYTES, Poison, RecordError, RuleMeta, Severity, Timestamp};

/// The built-in rule that carries the heartbeat's probe through the whole path. It is no anomaly: nobody is alerted.
pub const PROBE_RULE: &str = "weir_probe";

/// The largest record that the store can take. DynamoDB's item limit is 400 KB; attribute names, the alert's state and the
/// copy of `key` in the index keep the rest.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

/// One record of the anomalies stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Something unusual.
    Anomaly(Box<Anomaly>),
    /// An event that was none.
    Poison(Poison),
}

/// Something unusual that a rule found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The same on every replay, restart and engine.
    pub id: AnomalyId,
    /// The rule's name.
    pub rule: String,
    /// Twelve hex digits over what matters in the rule.
    pub rule_version: String,
    /// How urgent it is.
    pub severity: Severity,
    /// What is anomalous.
    pub key: String,
    /// Event time: of the event, or the end of the window.
    pub timestamp: Timestamp,
    /// The window's start, inclusive.
    pub window_start: Option<Timestamp>,
    /// The window's end, exclusive.
    pub window_end: Option<Timestamp>,
    /// What was seen.
    pub value: Option<f64>,
    /// What was to be expected.
    pub expected: Option<f64>,
    /// How unusual it is, 0 to 1.
    pub score: f64,
    /// Further columns of the rule.
    #[serde(default, deserialize_with = "null_as_default")]
    pub details: Map<String, Value>,
    /// What the rule says of itself.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rule_meta: RuleMeta,
}

impl Record {
    /// Reads one record of the anomalies stream.
    ///
    /// # Errors
    /// When the bytes are no valid record; always the record's fault, so trying again cannot help.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| RecordError::NotJson(e.to_string()))?;
        let Value::Object(fields) = &value else {
            return Err(RecordError::NotJson("it is another JSON value".to_owned()));
        };
        if fields.get("record_type").and_then(Value::as_str) == Some("poison") {
            let poison = Poison::deserialize(&value).map_err(|e| RecordError::invalid("poison", e.to_string()))?;
            return Ok(Self::Poison(poison));
        }
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLarge { bytes: bytes.len(), limit: MAX_RECORD_BYTES });
        }
        Anomaly::from_fields(fields).map(|anomaly| Self::Anomaly(Box::new(anomaly)))
    }
}

impl Anomaly {
    /// Whether this is the heartbeat's probe.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.rule == PROBE_RULE
    }

    fn from_fields(fields: &Map<String, Value>) -> Result<Self, RecordError> {
        let anomaly = Self {
            id: AnomalyId::try_from(text(fields, "id")?.to_owned())?,
            rule: rule_name(text(fields, "rule")?)?,
            rule_version: bounded(text(fields, "rule_version")?, "rule_version", 64)?,
            severity: text(fields, "severity")?.parse().map_err(|e: String| RecordError::invalid("severity", e))?,
            key: bounded(text(fields, "key")?, "key", MAX_KEY_BYTES)?,
            timestamp: time(fields, "timestamp")?.ok_or(RecordError::Missing("timestamp"))?,
            window_start: time(fields, "window_start")?,
            window_end: time(fields, "window_end")?,
            value: number(fields, "value")?,
            expected: number(fields, "expected")?,
            score: number(fields, "score")?.ok_or(RecordError::Missing("score"))?,
            details: object(fields, "details")?.unwrap_or_default(),
            rule_meta: object(fields, "rule_meta")?
                .map(|meta| RuleMeta::deserialize(Value::Object(meta)))
                .transpose()
                .map_err(|e| RecordError::invalid("rule_meta", e.to_string()))?
                .unwrap_or_default(),
        };
        if !(0.0..=1.0).contains(&anomaly.score) {
            return Err(RecordError::invalid("score", "must lie in [0, 1]"));
        }
        match (anomaly.window_start, anomaly.window_end) {
            (Some(start), Some(end)) if start >= end => {
                Err(RecordError::invalid("window_end", "must be after window_start"))
            }
            (Some(_), None) => Err(RecordError::Missing("window_end")),
            (None, Some(_)) => Err(RecordError::Missing("window_start")),
            _ => Ok(anomaly),
        }
    }
}

fn present<'a>(fields: &'a Map<String, Value>, name: &'static str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn text<'a>(fields: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, RecordError> {
    let value = present(fields, name).ok_or(RecordError::Missing(name))?;
    value.as_str().ok_or_else(|| RecordError::invalid(name, "must be text"))
}

fn bounded(text: &str, name: &'static str, limit: usize) -> Result<String, RecordError> {
    match text.len() {
        0 => Err(RecordError::invalid(name, "must not be empty")),
        n if n > limit => Err(RecordError::invalid(name, format!("{n} bytes are over the limit of {limit}"))),
        _ => Ok(text.to_owned()),
    }
}

fn rule_name(name: &str) -> Result<String, RecordError> {
    let valid = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    if valid {
        Ok(name.to_owned())
    } else {
        Err(RecordError::invalid("rule", "must be lower-case letters, digits and `_`, at most 63"))
    }
}

fn time(fields: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, RecordError> {
    let parse = |value: &Value| {
        let text = value.as_str().ok_or_else(|| RecordError::invalid(name, "must be text"))?;
        text.parse().map_err(|e: String| RecordError::invalid(name, e))
    };
    present(fields, name).map(parse).transpose()
}

fn number(fields: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, RecordError> {
    let parse = |value: &Value| value.as_f64().ok_or_else(|| RecordError::invalid(name, "must be a number"));
    present(fields, name).map(parse).transpose()
}

/// An object, or the JSON text of one: Arroyo 0.15 nests a `JSON` column only where it passes on a source's, and writes one
/// that was computed as text.
fn object(fields: &Map<String, Value>, name: &'static str) -> Result<Option<Map<String, Value>>, RecordError> {
    let parse = |value: &Value| {
        let object = match value {
            Value::Object(object) => Some(object.clone()),
            Value::String(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        object.ok_or_else(|| RecordError::invalid(name, "must be an object"))
    };
    present(fields, name).map(parse).transpose()
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::PoisonReason;

    const WINDOWED: &str = r#"{"id":"0123456789abcdef0123456789abcdef","rule":"zscore","rule_version":"a1b2c3d4e5f6","severity":"warning",
        "key":"pump-7/temperature","timestamp":"2026-11-23T05:00:00","window_start":"2026-11-23T04:00:00","window_end":"2026-11-23T05:00:00",
        "value":99.5,"expected":null,"score":0.875,"details":{"n":60},"rule_meta":{"owner":"ops","dedup_seconds":900},"later_field":1}"#;

    fn anomaly(json: &str) -> Result<Box<Anomaly>, RecordError> {
        match Record::parse(json.as_bytes())? {
            Record::Anomaly(anomaly) => Ok(anomaly),
            Record::Poison(_) => Err(RecordError::NotJson("poison".to_owned())),
        }
    }

    #[test]
    fn reads_what_arroyo_writes() {
        insta::assert_json_snapshot!(anomaly(WINDOWED).unwrap());
    }

    #[test]
    fn reads_json_columns_that_arroyo_wrote_as_text() {
        let nested = WINDOWED
            .replace(r#"{"n":60}"#, r#""{\"n\":60}""#)
            .replace(r#"{"owner":"ops","dedup_seconds":900}"#, r#""{\"owner\":\"ops\",\"dedup_seconds\":900}""#);
        assert_ne!(nested, WINDOWED);
        assert_eq!(anomaly(&nested).unwrap(), anomaly(WINDOWED).unwrap());
        let error = anomaly(&WINDOWED.replace(r#"{"n":60}"#, r#""[1]""#)).unwrap_err();
        assert_eq!(error.to_string(), "field `details`: must be an object");
    }

    #[test]
    fn survives_its_own_json() {
        let first = anomaly(WINDOWED).unwrap();
        assert_eq!(anomaly(&serde_json::to_string(&first).unwrap()).unwrap(), first);
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("not json", "not_json", "not a JSON object: expected ident at line 1 column 2"),
            ("[1]", "not_json", "not a JSON object: it is another JSON value"),
            (
                &WINDOWED.replace("\"zscore\"", "\"Z score\""),
                "invalid_field",
                "field `rule`: must be lower-case letters, digits and `_`, at most 63",
            ),
            (&WINDOWED.replace("0.875", "1.5"), "invalid_field", "field `score`: must lie in [0, 1]"),
            (
                &WINDOWED.replace("\"key\":\"pump-7/temperature\"", "\"key\":null"),
                "missing_field",
                "field `key` is missing",
            ),
            (&WINDOWED.replace("\"2026-11-23T04:00:00\"", "null"), "missing_field", "field `window_start` is missing"),
            (&WINDOWED.replace("T04", "T06"), "invalid_field", "field `window_end`: must be after window_start"),
            (
                &WINDOWED.replace("0123456789abcdef0", "XYZ"),
                "invalid_field",
                "field `id`: must be 32 lower-case hex digits",
            ),
        ];
        for (json, reason, message) in cases {
            let error = anomaly(json).unwrap_err();
            assert_eq!((error.reason(), error.to_string().as_str()), (reason, message));
        }
    }

    #[test]
    fn a_record_over_the_limit_is_poison() {
        let json = WINDOWED.replace("\"n\":60", &format!("\"n\":\"{}\"", "x".repeat(MAX_RECORD_BYTES)));
        assert_eq!(anomaly(&json).unwrap_err().reason(), "too_large");
    }

    #[test]
    fn a_poison_envelope_keeps_the_bytes() {
        let json = r#"{"record_type":"poison","record_id":"c0ffee","stream":"weir-events","reason":"not_utf8","raw":"//79","part":1,"parts":1,"arrival_time":null}"#;
        let Record::Poison(poison) = Record::parse(json.as_bytes()).unwrap() else { panic!("no poison") };
        assert_eq!(
            (poison.reason.as_str(), poison.raw_bytes().unwrap()),
            (PoisonReason::NotUtf8.as_str(), vec![0xff, 0xfe, 0xfd])
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::parse(&bytes);
        }

        #[test]
        fn damage_to_a_record_never_panics(at in 0..500_usize, byte in any::<u8>()) {
            let mut bytes = WINDOWED.as_bytes().to_vec();
            let at = at % bytes.len();
            if let Some(b) = bytes.get_mut(at) { *b = byte; }
            let _ = Record::parse(&bytes);
        }
    }
}
