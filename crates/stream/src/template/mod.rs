//! Records made after a sample: the same envelope and format, with other values in some of its fields. Tests of rules write
//! their records so.
//!
//! What is made is decoded again: a record that does not say what it was made to say is an error, not a surprise in a test.

mod json;
mod text;
mod time;

use serde_json::{Value as Json, json};

use crate::{
    declaration::{Declaration, Field, FieldType, SampleRecord},
    decode::{Decoder, Record},
    envelope::{Framing, Wrapping, gzip},
    format::{Format, record_ends},
    limits::MAX_UNPACKED_BYTES,
    row::{Rows, Value},
};

/// A sample that records are made after.
#[derive(Debug, Clone)]
pub struct Template {
    declaration: Declaration,
    /// One record, out of its envelope.
    record: String,
    /// The message that it stands in, where that is CloudWatch Logs'.
    message: Option<Json>,
    decoder: Decoder,
}

impl Template {
    /// The first sample of a stream's file that gives a row. `read` gets the bytes of a sample's `file`.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(
        declaration: &Declaration,
        mut read: impl FnMut(&str) -> std::io::Result<Vec<u8>>,
    ) -> Result<Self, String> {
        let mut fault = None;
        for sample in &declaration.samples {
            let bytes = match &sample.record {
                SampleRecord::Text(text) => text.as_bytes().to_vec(),
                SampleRecord::File(name) => read(name).map_err(|error| format!("`{name}` cannot be read: {error}"))?,
            };
            match Self::new(declaration, &bytes) {
                Ok(template) => return Ok(template),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        let why = fault.map_or_else(String::new, |fault| format!(" ({fault})"));
        Err(format!("no [[sample]] of stream `{}` gives a row that others can be made after{why}", declaration.name))
    }

    /// Takes a record as the sample.
    ///
    /// # Errors
    /// When it gives no row.
    pub fn new(declaration: &Declaration, sample: &[u8]) -> Result<Self, String> {
        let mut decoder = Decoder::new(declaration);
        let mut rows = Rows::default();
        decoder.decode(Record { bytes: sample, arrival: Some(0) }, &mut rows);
        if let Some(poison) = rows.refusals().next() {
            return Err(format!("the sample is refused: {poison}"));
        }
        let bytes = unwrapped(declaration, sample)?;
        let text = String::from_utf8(bytes).map_err(|_| "the sample is not UTF-8")?;
        let (record, message) = match declaration.envelope.framing {
            Framing::One | Framing::Eventbridge => (text, None),
            Framing::Lines => (first_line(declaration, &text), None),
            Framing::Values => {
                let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Json>();
                let first = values.next().and_then(Result::ok).ok_or("there is no value in the sample")?;
                (first.to_string(), None)
            }
            Framing::CloudwatchLogs => {
                let message: Json = serde_json::from_str(&text).map_err(|error| error.to_string())?;
                let event = message.pointer("/logEvents/0/message").and_then(Json::as_str);
                (event.ok_or("there is no log event in the sample")?.to_owned(), Some(message))
            }
        };
        Ok(Self { declaration: declaration.clone(), record, message, decoder })
    }

    /// A record whose row has this time (nanoseconds since the epoch) and these values in these fields; NULL leaves a field out.
    /// All else is the sample's.
    ///
    /// # Errors
    /// When there is no such field, or the format cannot say the value or the time.
    pub fn record(&mut self, time: i64, values: &[(&str, Json)]) -> Result<Vec<u8>, String> {
        let columns: Vec<Field> = self.declaration.all_fields().collect();
        let mut fields = Vec::new();
        for (name, value) in values {
            let field = columns.iter().find(|field| field.name == *name).ok_or_else(|| {
                let known: Vec<&str> = columns.iter().map(|field| field.name.as_str()).collect();
                let hint = crate::did_you_mean(name, known);
                format!("stream `{}` has no field `{name}`: {hint}", self.declaration.name)
            })?;
            fields.push((field, whole(value)));
        }
        let bytes = self.written(time, &fields)?;
        self.check(&bytes, time, &fields)?;
        Ok(bytes)
    }

    fn written(&self, time: i64, fields: &[(&Field, Json)]) -> Result<Vec<u8>, String> {
        let mut message = self.message.clone();
        let record = match &self.declaration.format {
            Format::Json => json::written(&self.declaration, &self.record, &mut message, time, fields)?,
            format => text::written(&self.declaration, format, &self.record, &mut message, time, fields)?,
        };
        let Some(mut message) = message else { return Ok(record.into_bytes()) };
        if self.declaration.time.is_none() {
            set_member(&mut message, "log_time", json!(time.div_euclid(1_000_000)));
        }
        if let Some(event) = message.pointer_mut("/logEvents/0") {
            event["message"] = record.into();
            let event = event.take();
            message["logEvents"] = json!([event]);
        }
        Ok(message.to_string().into_bytes())
    }

    /// Decodes what was made.
    fn check(&mut self, bytes: &[u8], time: i64, fields: &[(&Field, Json)]) -> Result<(), String> {
        let mut rows = Rows::default();
        self.decoder.decode(Record { bytes, arrival: Some(time) }, &mut rows);
        if rows.refusals().next().is_some() {
            // A test may mean it: the decoder says so again when the record is read.
            return Ok(());
        }
        let Some(row) = rows.rows().next() else { return Ok(()) };
        if row.time != Some(time) {
            return Err("the stream's time cannot say this moment".to_owned());
        }
        let columns = self.decoder.columns();
        for (field, wanted) in fields {
            let index = columns.iter().position(|column| column.name == field.name);
            let found = index.and_then(|index| row.values.get(index)).unwrap_or(&Value::Null);
            if !says(found, wanted, field) {
                return Err(format!("`{}` cannot be {wanted} here: it is read as {}", field.name, found.to_json()));
            }
        }
        Ok(())
    }
}

/// Whether a column holds what was to be said; what the format reads in its own way (times, texts that mean NULL) counts as said.
fn says(found: &Value, wanted: &Json, field: &Field) -> bool {
    match (found, wanted) {
        (Value::Double(found), Json::Number(wanted)) => wanted.as_f64() == Some(*found),
        (Value::Integer(found), Json::Number(wanted)) => wanted.as_i64() == Some(*found),
        (Value::Text(found), Json::String(wanted)) => found == wanted,
        _ => field.kind != FieldType::Text || !wanted.is_string(),
    }
}

/// Whole numbers are written as such: `30`, not `30.0`.
fn whole(value: &Json) -> Json {
    /// Below it, every whole number is a double of its own.
    const MOST: f64 = 9_007_199_254_740_992.0;
    match value.as_f64().filter(|_| value.is_f64()) {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
        Some(number) if number.fract() == 0.0 && number.abs() < MOST => json!(number as i64),
        _ => value.clone(),
    }
}

/// The bytes without gzip and aggregation; of an aggregate, its first record.
fn unwrapped(declaration: &Declaration, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = bytes.to_vec();
    let packed = declaration.envelope.framing == Framing::CloudwatchLogs || !declaration.envelope.wrappings.is_empty();
    for _ in 0..crate::limits::MAX_ENVELOPES {
        if packed && bytes.starts_with(&gzip::MAGIC) {
            bytes = gzip::unpack(&bytes, MAX_UNPACKED_BYTES).map_err(|poison| poison.to_string())?;
        } else if declaration.envelope.wrappings.iter().any(|wrapping| *wrapping != Wrapping::Gzip)
            && let Some(users) = weir_anomaly::kpl::deaggregate(&bytes)
        {
            bytes = users.first().map(|user| user.data.to_vec()).ok_or("the aggregate is empty")?;
        } else {
            break;
        }
    }
    Ok(bytes)
}

fn first_line(declaration: &Declaration, text: &str) -> String {
    let (quote, delimiter) = match &declaration.format {
        Format::Csv(csv) => (csv.quote, csv.delimiter),
        _ => (None, b','),
    };
    let (mut start, mut first) = (0, String::new());
    record_ends(text.as_bytes(), quote, delimiter, |end| {
        let line = text.get(start..end).unwrap_or_default();
        start = end + 1;
        first = line.strip_suffix('\r').unwrap_or(line).to_owned();
        first.trim().is_empty()
    });
    first
}

/// Sets what the envelope of CloudWatch Logs says.
fn set_member(message: &mut Json, name: &str, value: Json) {
    match name {
        "log_group" => message["logGroup"] = value,
        "log_stream" => message["logStream"] = value,
        "owner" => message["owner"] = value,
        "log_id" | "log_time" => {
            if let Some(event) = message.pointer_mut("/logEvents/0") {
                event[if name == "log_id" { "id" } else { "timestamp" }] = value;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
