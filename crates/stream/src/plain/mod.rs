//! The gate's record: what a declared stream's rows are on the stream that the gate writes and Arroyo reads
//! (docs/contracts.md, "The gate's record").
//!
//! SQL on Arroyo cannot unpack gzip, CloudWatch Logs or KPL, take glued values apart, or give the elements of a list a time of
//! their own. The gate does that with the decoder that the embedded engine uses ([`Unpacker`]) and writes each row as one JSON
//! object on a line of its own. [`Declaration::plain`] says so as a declaration: it has the original's columns, so that
//! the compiler of a view takes it in the original's place.

mod unpacker;

pub use unpacker::{PlainRow, Unpacked, Unpacker};

use crate::{
    declaration::{Declaration, Field, FieldType, Scope, TimeField},
    envelope::{Envelope, Framing},
    format::Format,
    path::{Path, Step},
    time::{TimeFormat, TimeReader, Zone},
};

/// The member that holds a row's event time: RFC 3339 in UTC, up to nine digits behind the second. No column can have this
/// name.
pub const TIME: &str = "event_time";

/// The member that holds a row's id: it follows from where the row stands on the original stream, so that a row that is put
/// twice has it twice. No column can have this name.
pub const RECORD: &str = "@record";

impl Declaration {
    /// The declaration of the stream that the gate writes for this one: lines of JSON objects with the same columns, each under
    /// its own name, and the time as [`TIME`]. What the gate has decided already is not decided again: `ignore`, `null` and
    /// `each` are gone. The stream is Weir's own, so heartbeats may pass over it.
    ///
    /// ```
    /// use weir_stream::Declaration;
    /// let text = "envelope = \"cloudwatch_logs\"\nformat = \"logfmt\"\n[fields]\nstatus = \"integer\"\n";
    /// let flows = Declaration::parse("flows.toml".as_ref(), text).unwrap();
    /// assert_eq!(flows.plain().columns(), flows.columns());
    /// ```
    #[must_use]
    pub fn plain(&self) -> Self {
        let field = |field: Field| Field {
            path: Path::member(&field.name),
            of: Scope::Row,
            time: TimeReader::default(),
            ..field
        };
        Self {
            name: self.name.clone(),
            stream: None,
            envelope: Envelope { wrappings: Vec::new(), framing: Framing::Lines },
            each: None,
            format: Format::Json,
            time: Some(TimeField { path: Path::member(TIME), of: Scope::Row, reader: TimeReader::default() }),
            key: self.key.clone(),
            fields: self.all_fields().map(field).collect(),
            metrics: self.metrics.clone(),
            ignore: None,
            heartbeat: true,
            null: Vec::new(),
            samples: Vec::new(),
            contract: false,
        }
    }

    /// What SQL on Arroyo cannot do with these records, so that they have to pass the gate; `None`: Arroyo reads the stream
    /// itself. The embedded engine reads every stream itself.
    #[must_use]
    pub fn why_gate(&self) -> Option<&'static str> {
        if !self.envelope.wrappings.is_empty() {
            return Some("its records may be gzipped or aggregated");
        }
        match self.envelope.framing {
            Framing::CloudwatchLogs => return Some("its records are gzipped messages of CloudWatch Logs"),
            Framing::Values => return Some("several values may stand in one record"),
            Framing::One | Framing::Lines | Framing::Eventbridge => {}
        }
        if self.each.is_some() {
            return Some("the elements of its lists are rows");
        }
        if self.format != Format::Json {
            return Some("its records are no JSON");
        }
        let paths = self.fields.iter().map(|field| &field.path).chain(self.time.iter().map(|time| &time.path));
        let through_members =
            |path: &Path| !path.steps.is_empty() && path.steps.iter().all(|step| matches!(step, Step::Member(_)));
        if !paths.into_iter().all(through_members) {
            return Some("a path goes into a list, or takes the whole record");
        }
        let is_time = |field: &&Field| field.kind == FieldType::Timestamp;
        let times = self.fields.iter().filter(is_time).map(|field| &field.time);
        if !times.chain(self.time.iter().map(|time| &time.reader)).all(is_sql_time) {
            return Some("a time is written in a form that SQL cannot read");
        }
        let mut times = (0..).zip(&self.fields).filter(|(_, field)| is_time(field));
        if self.ignore.as_ref().is_some_and(|ignore| times.any(|(index, _)| ignore.names(index))) {
            return Some("`ignore` compares times");
        }
        None
    }
}

/// Whether SQL reads a time as the reader does: arrow's text forms in UTC, and numbers.
fn is_sql_time(reader: &TimeReader) -> bool {
    reader.formats.iter().all(|format| match format {
        TimeFormat::Rfc3339 => reader.zone == Zone::UTC,
        TimeFormat::Epoch(_) => true,
        TimeFormat::Iso8601 | TimeFormat::Pattern(_) => false,
    })
}

#[cfg(test)]
mod tests;
