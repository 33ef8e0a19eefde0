//! A stream's source on Arroyo: bytes, and SQL that takes them apart as the decoder does on the embedded engine, row by row, time by
//! time, reason by reason. A test holds the two equal on made and damaged records.
//!
//! SQL cannot do all of it. [`Declaration::why_gate`] says what it cannot; such a stream passes the gate, and what the gate writes is
//! read here.

use std::fmt::Write as _;

use weir_stream::{Declaration, Field, FieldType, Framing, Path, Scope, Step, TimeFormat, TimeReader, Unit, Zone};

use super::{clock, region, source_table};
use crate::{Environment, TimeMode, template::quote};

/// What is read of each record: the fields, and what stands before them in the view.
struct Reading<'a> {
    declaration: &'a Declaration,
    values: Values<'a>,
}

/// Names and times of an environment, as SQL has them.
struct Values<'a> {
    environment: &'a Environment,
    all: std::collections::BTreeMap<String, String>,
}

impl Values<'_> {
    fn get(&self, name: &str) -> &str {
        self.all.get(name).map_or("", String::as_str)
    }
}

/// The members that a path goes through; `None` where it goes into a list.
fn members(path: &Path) -> Option<Vec<&str>> {
    path.steps.iter().map(|step| if let Step::Member(name) = step { Some(name.as_str()) } else { None }).collect()
}

/// The table that a stream's records enter by, and the view in which each of them is one of: event, control record, poison, or what
/// `ignore` names.
pub(super) fn source(declaration: &Declaration, environment: &Environment, kinesis: &str) -> String {
    let reading = Reading { declaration, values: Values { environment, all: environment.table_values() } };
    reading.source(kinesis)
}

impl Reading<'_> {
    fn source(&self, kinesis: &str) -> String {
        let name = &self.declaration.name;
        let v = |name: &str| self.values.get(name);
        let event_time = match clock(self.declaration, self.values.environment) {
            TimeMode::Arrival => String::new(),
            TimeMode::Event => {
                let time = self.time_of_record("TRY_CAST(value AS TEXT)");
                format!(
                    ",\n  event_time TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce({time}, {})),\n  WATERMARK FOR event_time AS \
                     (coalesce({time}, {}) - {})",
                    v("no_time"),
                    v("end_of_times"),
                    v("watermark_delay")
                )
            }
        };
        let framing = if self.declaration.envelope.framing == Framing::Lines { ", framing = 'newline'" } else { "" };
        format!(
            "-- Stream {name}, as sql/streams/{name}.toml declares it.
-- weir: future_limit = {future_limit}
CREATE TABLE {raw} (
  value BYTEA NOT NULL{event_time}
) WITH (
  connector = 'kinesis', type = 'source', stream_name = {kinesis},{region}
  'source.offset' = '{offset}', format = 'raw_bytes'{framing}
);

-- weir: count = weir_kind
CREATE VIEW {name}_decoded AS
SELECT event_time, {columns}, weir_kind, weir_time,
  weir_bytes AS weir_raw, concat('the record is refused as ', weir_kind) AS weir_error, weir_probe_id, weir_sent_at
FROM (
  SELECT *, {kind} AS weir_kind
  FROM (
    SELECT event_time, weir_bytes, weir_event, weir_names, weir_strict, {control},
{values}
    FROM (
      SELECT event_time, weir_bytes, weir_event, json_length(weir_event) AS weir_names, json_length(get_first_json_object(weir_event, '$')) AS weir_strict,
{texts}
      FROM (SELECT row_time() AS event_time, value AS weir_bytes, TRY_CAST(value AS TEXT) AS weir_event FROM {raw}) AS records
    ) AS texts
  ) AS read
) AS judged;
",
            raw = source_table(name),
            future_limit = v("future_limit"),
            kinesis = quote(kinesis),
            region = region(self.values.environment),
            offset = v("source_offset"),
            columns = self.columns(),
            control = if self.declaration.heartbeat {
                "weir_weir, weir_probe_id, weir_sent_at"
            } else {
                "CAST(NULL AS TEXT) AS weir_probe_id, CAST(NULL AS TEXT) AS weir_sent_at"
            },
            texts = self.texts(),
            values = self.read_values(),
            kind = self.kind(),
        )
    }

    fn columns(&self) -> String {
        let column = |field: &Field| match &field.default {
            Some(default) => format!("coalesce(\"{0}\", {1}) AS \"{0}\"", field.name, literal(default)),
            None => format!("\"{}\"", field.name),
        };
        self.declaration.fields.iter().map(column).collect::<Vec<_>>().join(", ")
    }

    /// The names that lead to a path's value from the record's beginning.
    fn keys(&self, path: &Path, of: Scope) -> Vec<String> {
        let detail = self.declaration.envelope.framing == Framing::Eventbridge && of != Scope::Envelope;
        let detail = detail.then_some("detail").into_iter();
        detail.chain(members(path).unwrap_or_default()).map(str::to_owned).collect()
    }

    /// The arguments of a JSON function for a path's value.
    fn arguments(&self, event: &str, path: &Path, of: Scope) -> String {
        let keys: Vec<String> = self.keys(path, of).iter().map(|key| quote(key)).collect();
        format!("{event}, {}", keys.join(", "))
    }

    /// The text and the JSON of each field's value, `weir_x0` and `weir_r0` and so on.
    fn texts(&self) -> String {
        let mut lines = Vec::new();
        for (index, field) in self.declaration.fields.iter().enumerate() {
            let arguments = self.arguments("weir_event", &field.path, field.of);
            lines.push(format!("        json_as_text({arguments}) AS weir_x{index}"));
            if self.needs_json(field) {
                lines.push(format!("        json_get_json({arguments}) AS weir_r{index}"));
            }
        }
        if self.declaration.heartbeat {
            for name in ["weir", "probe_id", "sent_at"] {
                lines.push(format!("        json_as_text(weir_event, '{name}') AS weir_{name}"));
            }
        }
        if self.declaration.time.is_none() {
            lines.push("        event_time AS weir_time".to_owned());
        } else if clock(self.declaration, self.values.environment) == TimeMode::Arrival {
            lines.push(format!("        {} AS weir_time", self.time_of_record("weir_event")));
        }
        lines.join(",\n")
    }

    fn needs_json(&self, field: &Field) -> bool {
        matches!(field.kind, FieldType::Text | FieldType::Json | FieldType::Timestamp)
            || !self.declaration.null.is_empty()
    }

    /// Each field's value in its type, and its text where there is one: a text that gives no value is a bad field.
    fn read_values(&self) -> String {
        let mut lines = Vec::new();
        for (index, field) in self.declaration.fields.iter().enumerate() {
            let text = self.text(index);
            let json = format!("weir_r{index}");
            let value = match field.kind {
                FieldType::Double => double(&text),
                FieldType::Integer => integer(&text),
                FieldType::Text => format!("CASE WHEN NOT regexp_like({json}, '^[{{\\[]') THEN {text} END"),
                FieldType::Boolean => format!(
                    "CASE WHEN lower({text}) IN ('true', '1') THEN true WHEN lower({text}) IN ('false', '0') THEN false END"
                ),
                FieldType::Timestamp => time(&field.time, &text, &json),
                FieldType::Json => format!("CASE WHEN {text} IS NOT NULL THEN {json} END"),
            };
            lines.push(format!("      {value} AS \"{}\"", field.name));
            lines.push(format!("      {text} AS weir_t{index}"));
        }
        if clock(self.declaration, self.values.environment) == TimeMode::Event {
            lines.push(format!("      nullif(event_time, {}) AS weir_time", self.values.get("no_time")));
        } else {
            lines.push("      weir_time".to_owned());
        }
        lines.join(",\n")
    }

    /// A field's text; texts that mean NULL are none.
    fn text(&self, index: usize) -> String {
        if self.declaration.null.is_empty() {
            return format!("weir_x{index}");
        }
        let nulls: Vec<String> = self.declaration.null.iter().map(|null| quote(null)).collect();
        format!(
            "CASE WHEN NOT (starts_with(weir_r{index}, '\"') AND weir_x{index} IN ({})) THEN weir_x{index} END",
            nulls.join(", ")
        )
    }

    /// The time of a record: as it is declared, or what a control record carries.
    fn time_of_record(&self, event: &str) -> String {
        let declared = self.declaration.time.as_ref().map(|own| {
            let arguments = self.arguments(event, &own.path, own.of);
            let text = format!("json_as_text({arguments})");
            let text = if self.declaration.null.is_empty() {
                text
            } else {
                let nulls: Vec<String> = self.declaration.null.iter().map(|null| quote(null)).collect();
                let json = format!("json_get_json({arguments})");
                format!(
                    "CASE WHEN NOT (starts_with({json}, '\"') AND {text} IN ({})) THEN {text} END",
                    nulls.join(", ")
                )
            };
            time(&own.reader, &text, &format!("json_get_json({arguments})"))
        });
        let control = self.declaration.heartbeat.then(|| {
            let contract =
                TimeReader { formats: vec![TimeFormat::Epoch(Unit::Millis), TimeFormat::Rfc3339], zone: Zone::UTC };
            let own = time(
                &contract,
                &format!("json_as_text({event}, 'timestamp')"),
                &format!("json_get_json({event}, 'timestamp')"),
            );
            format!("CASE WHEN json_as_text({event}, 'weir') IN ('heartbeat', 'probe') THEN {own} END")
        });
        let time = match (declared, control) {
            (Some(declared), Some(control)) => format!("coalesce({declared}, {control})"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "CAST(NULL AS TIMESTAMP)".to_owned(),
        };
        let (before, end) = (self.values.get("before_times"), self.values.get("end_of_times"));
        format!("nullif(nullif(greatest(least({time}, {end}), {before}), {end}), {before})")
    }

    /// What a record is: the first that holds.
    fn kind(&self) -> String {
        let mut sql = "CASE\n      WHEN weir_event IS NULL THEN 'not_utf8'".to_owned();
        let mut when = |condition: &str, kind: &str| {
            let _ = write!(sql, "\n      WHEN {condition} THEN {kind}");
        };
        if self.declaration.envelope.framing == Framing::Lines {
            when("regexp_like(weir_event, '^[ \\t\\r\\x0c]*$')", "'ignored'");
        }
        when(
            "weir_strict IS NULL",
            "CASE WHEN get_first_json_object(weir_event, '$') IS NOT NULL THEN 'not_an_object' WHEN \
             regexp_like(weir_event, '\\}\\s*\\{|\\]\\s*\\[') THEN 'several_values' ELSE 'not_json' END",
        );
        when("regexp_like(weir_event, '^\\s*\\[')", "'not_an_object'");
        if self.declaration.heartbeat {
            when(
                "weir_weir = 'heartbeat' AND (weir_names = 1 OR (weir_names = 2 AND json_contains(weir_event, 'timestamp')))",
                "'heartbeat'",
            );
            when(
                "weir_weir = 'probe' AND json_contains(weir_event, 'probe_id') AND json_contains(weir_event, 'sent_at') AND (weir_names = 3 OR \
                 (weir_names = 4 AND json_contains(weir_event, 'timestamp')))",
                "'probe'",
            );
        }
        if self.declaration.envelope.framing == Framing::Eventbridge {
            when(
                "NOT coalesce(starts_with(json_get_json(weir_event, 'detail'), '{') AND NOT regexp_like(json_get_json(weir_event, \
                 'detail-type'), '^([\\[{]|null)'), false)",
                "'bad_envelope'",
            );
        }
        for keys in self.read_members() {
            let Some((last, before)) = keys.split_last() else { continue };
            let inside: String = before.iter().map(|key| format!(", {}", quote(key))).collect();
            let path = Path { steps: keys.iter().cloned().map(Step::Member).collect() };
            let steps: String = keys.iter().map(|key| format!("[{}]", serde_json::Value::from(key.as_str()))).collect();
            let all: String = keys.iter().map(|key| format!(", {}", quote(key))).collect();
            // JSON functions take the first of several, the strict reader keeps the last: with two of them, that is both.
            when(
                &format!(
                    "CASE WHEN coalesce(array_length({places}), 0) < 2 THEN false WHEN array_length({places}) = 2 THEN \
                     get_first_json_object(coalesce(json_get_json(weir_event{all}), 'null'), '$') IS DISTINCT FROM \
                     get_first_json_object(weir_event, {path}) ELSE true END",
                    places = format_args!("array_positions(json_object_keys(weir_event{inside}), {})", quote(last)),
                    path = quote(&format!("${steps}")),
                ),
                &quote(&format!("duplicate_key:{path}")),
            );
        }
        if let Some(ignore) = &self.declaration.ignore {
            when(&ignore.to_sql(&|index| self.ignored_by(index)), "'ignored'");
        }
        if let Some(time) = &self.declaration.time {
            when("weir_time IS NULL", &quote(&format!("bad_time:{}", time.path)));
        }
        for (index, field) in self.declaration.fields.iter().enumerate() {
            let name = &field.name;
            when(&format!("\"{name}\" IS NULL AND weir_t{index} IS NOT NULL"), &quote(&format!("bad_field:{name}")));
            if field.required {
                when(&format!("\"{name}\" IS NULL"), &quote(&format!("missing:{name}")));
            }
        }
        sql.push_str("\n      ELSE 'event'\n    END");
        sql
    }

    /// A column as `ignore` sees it: its default where the field is absent, NULL where it is not of its type.
    fn ignored_by(&self, index: usize) -> String {
        match self.declaration.fields.get(index) {
            Some(Field { name, default: Some(default), .. }) => {
                format!("(CASE WHEN weir_t{index} IS NULL THEN {} ELSE \"{name}\" END)", literal(default))
            }
            Some(Field { name, .. }) => format!("\"{name}\""),
            None => "NULL".to_owned(),
        }
    }

    /// Every member on the way to what is read, in the order in which the decoder comes to know them.
    fn read_members(&self) -> Vec<Vec<String>> {
        let mut found: Vec<Vec<String>> = Vec::new();
        let mut add = |keys: Vec<String>| {
            for length in 1..=keys.len() {
                let part: Vec<String> = keys.iter().take(length).cloned().collect();
                if !found.contains(&part) {
                    found.push(part);
                }
            }
        };
        for field in &self.declaration.fields {
            add(self.keys(&field.path, field.of));
        }
        if let Some(time) = &self.declaration.time {
            add(self.keys(&time.path, time.of));
        }
        let names = |names: &[&str]| names.iter().map(|name| vec![(*name).to_owned()]).collect::<Vec<_>>();
        if self.declaration.envelope.framing == Framing::Eventbridge {
            names(&["detail", "detail-type"]).into_iter().for_each(&mut add);
        }
        if self.declaration.heartbeat {
            names(&["weir", "probe_id", "sent_at", "timestamp"]).into_iter().for_each(&mut add);
        }
        found
    }
}

/// The number that a text is: what the decoder takes for one.
const NUMBER: &str = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$";
/// The largest double is what an infinity becomes on the way.
const LARGEST: &str = "1.7976931348623157e308";

fn double(text: &str) -> String {
    // Minus zero is zero.
    let value = format!("TRY_CAST({text} AS DOUBLE)");
    format!("CASE WHEN regexp_like({text}, '{NUMBER}') AND abs({value}) < {LARGEST} THEN {value} + 0.0 END")
}

fn integer(text: &str) -> String {
    // Plus zero, because minus zero is below zero for SQL.
    let value = format!("(TRY_CAST({text} AS DOUBLE) + 0.0)");
    format!(
        "CASE WHEN regexp_like({text}, '^[+-]?[0-9]+$') THEN TRY_CAST({text} AS BIGINT) WHEN regexp_like({text}, '{NUMBER}') AND \
         trunc({value}) = {value} AND abs({value}) <= 9007199254740992.0 THEN TRY_CAST({value} AS BIGINT) END"
    )
}

/// A time by the forms of a reader, the first that fits. `json` is the value as JSON: only a text can be written as RFC 3339.
fn time(reader: &TimeReader, text: &str, json: &str) -> String {
    let forms: Vec<String> = reader
        .formats
        .iter()
        .map(|format| match format {
            TimeFormat::Epoch(unit) => epoch(*unit, text),
            _ => format!("CASE WHEN starts_with({json}, '\"') THEN TRY_CAST({text} AS TIMESTAMP) END"),
        })
        .collect();
    match forms.as_slice() {
        [only] => only.clone(),
        forms => format!("coalesce({})", forms.join(", ")),
    }
}

/// A number of units since 1970. What is written as an integer is exact, anything else is a double, rounded to the microsecond.
/// Nothing alive is dated before March 1973 by a number: that is another unit.
fn epoch(unit: Unit, text: &str) -> String {
    let (function, micros) = match unit {
        Unit::Seconds => ("to_timestamp_seconds", "* 1000000.0"),
        Unit::Millis => ("to_timestamp_millis", "* 1000.0"),
        Unit::Micros => ("to_timestamp_micros", "* 1.0"),
        Unit::Nanos => ("to_timestamp_nanos", "/ 1000.0"),
    };
    let whole = format!("TRY_CAST({function}(TRY_CAST({text} AS BIGINT)) AS TIMESTAMP)");
    let rounded = format!(
        "TRY_CAST(to_timestamp_micros(TRY_CAST(round(TRY_CAST({text} AS DOUBLE) {micros}) AS BIGINT)) AS TIMESTAMP)"
    );
    format!(
        "nullif(greatest(CASE WHEN regexp_like({text}, '^[+-]?[0-9]+$') THEN {whole} WHEN regexp_like({text}, '{NUMBER}') THEN \
         {rounded} END, {before}), {before})",
        before = "TIMESTAMP '1973-03-03 09:46:39.999999999'"
    )
}

fn literal(value: &weir_stream::Value) -> String {
    use weir_stream::Value;
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Double(value) => format!("CAST('{value}' AS DOUBLE)"),
        Value::Integer(value) => format!("CAST('{value}' AS BIGINT)"),
        Value::Boolean(value) => value.to_string(),
        Value::Timestamp(nanos) => crate::environment::literal(weir_anomaly::Timestamp::from_nanos(*nanos)),
        Value::Text(text) | Value::Json(text) => quote(text),
    }
}
