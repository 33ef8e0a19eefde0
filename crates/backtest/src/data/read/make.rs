//! Writes rows, and records whose fields have other names, as the records that the stream carries.

use weir_anomaly::Timestamp;
use weir_decode::{EpochUnit, members, text_of};

/// Which columns or fields hold what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The time.
    pub timestamp: String,
    /// The reading.
    pub value: String,
    /// Where it was read.
    pub source: String,
    /// What was read.
    pub metric: String,
    /// The unit of times that are numbers; milliseconds without.
    pub unit: Option<EpochUnit>,
}

impl Default for Columns {
    fn default() -> Self {
        let [timestamp, value, source, metric] = NAMES.map(str::to_owned);
        Self { timestamp, value, source, metric, unit: None }
    }
}

const NAMES: [&str; 4] = ["timestamp", "value", "source", "metric"];

impl Columns {
    /// Whether records have the names of Weir's own events and are handed on as they are.
    pub(crate) fn are_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The name under which a field of a file goes into the record; none where it would shadow another.
    fn name_in_record<'a>(&self, name: &'a str) -> Option<&'a str> {
        let mapped = [&self.timestamp, &self.value, &self.source, &self.metric].iter().position(|own| *own == name);
        match mapped {
            Some(index) => NAMES.get(index).copied(),
            None if NAMES.contains(&name) => None,
            None => Some(name),
        }
    }
}

/// Writes records.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) columns: Columns,
    /// The source of a row that names none.
    stem: String,
}

impl Maker {
    pub(crate) fn new(columns: &Columns, stem: &str) -> Self {
        Self { columns: columns.clone(), stem: stem.to_owned() }
    }

    /// Writes a JSON object with its fields under the names of an event. What is no JSON object stays as it is: the decoder says
    /// what it is.
    pub(crate) fn write_json(&self, record: &[u8], out: &mut Vec<u8>) {
        let text = std::str::from_utf8(record).unwrap_or_default();
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() || !text.trim_start().starts_with('{') {
            out.clear();
            out.extend_from_slice(record);
            return;
        }
        self.write_members(members(text).iter().map(|(name, value)| (name.as_str(), *value)), out);
    }

    /// Writes a record of these fields: names, and values as JSON.
    pub(crate) fn write_members<'a>(&self, members: impl Iterator<Item = (&'a str, &'a str)>, out: &mut Vec<u8>) {
        out.clear();
        out.push(b'{');
        let mut has_source = false;
        let mut write = |name: &str, value: &str| {
            if out.len() > 1 {
                out.push(b',');
            }
            // Writing to memory cannot fail.
            let _ = serde_json::to_writer(&mut *out, name);
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
        };
        for (name, value) in members {
            let Some(name) = self.columns.name_in_record(name) else { continue };
            has_source |= name == "source" && value != "null";
            match self.columns.unit.filter(|_| name == "timestamp").and_then(|unit| in_unit(value, unit)) {
                Some(time) => write(name, &format!("\"{time}\"")),
                None if name == "source" && value == "null" => {}
                None => write(name, value),
            }
        }
        if !has_source {
            write("source", &quoted(&self.stem));
        }
        out.push(b'}');
    }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A JSON number, or its digits as text, as a time in this unit; `None` where it is no number, or too far away.
fn in_unit(value: &str, unit: EpochUnit) -> Option<Timestamp> {
    let text = text_of(value)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let plain = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    if plain.is_empty() || !digits(plain) || !digits(fraction) {
        return None;
    }
    // In nanoseconds, exactly: so many of the fraction's digits count.
    let places = usize::try_from(9 - unit.decimals()).ok()?;
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(places).collect();
    let nanos: i64 = format!("{whole}{fraction}").parse().ok()?;
    Some(Timestamp::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_by_the_names_of_an_event_and_nothing_shadows_them() {
        let columns = Columns { timestamp: "time".into(), value: "celsius".into(), ..Columns::default() };
        let made = |record: &str| {
            let mut out = Vec::new();
            Maker::new(&columns, "pump").write_json(record.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            made(r#"{"time":1,"celsius":1.50,"value":7,"site":{"a":[1]},"source":17}"#),
            r#"{"timestamp":1,"value":1.50,"site":{"a":[1]},"source":17}"#
        );
        assert_eq!(made(r#"{"celsius":1,"source":null}"#), r#"{"value":1,"source":"pump"}"#);
        assert_eq!(made("{} x"), "{} x");
    }

    #[test]
    fn a_number_in_another_unit_is_the_same_time_to_the_last_digit() {
        let time = |value: &str, unit| in_unit(value, unit).map(|time| time.to_string());
        let at = |fraction: &str| Some(format!("2026-01-01T00:00:00{fraction}Z"));
        assert_eq!(time("1767225600", EpochUnit::Seconds), at(""));
        assert_eq!(time("\"1767225600.25\"", EpochUnit::Seconds), at(".250"));
        assert_eq!(time("1767225600123", EpochUnit::Milliseconds), at(".123"));
        assert_eq!(time("1767225600123456", EpochUnit::Microseconds), at(".123456"));
        assert_eq!(time("1767225600123456789", EpochUnit::Nanoseconds), at(".123456789"));
        assert_eq!(time("\"2026-01-01\"", EpochUnit::Seconds), None);
        assert_eq!(time("99999999999999", EpochUnit::Seconds), None);
    }
}
