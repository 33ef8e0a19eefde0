//! A stream's file, `sql/streams/NAME.toml`: what its records are, which fields they have, what is poison.

mod check;
mod key;
mod read;
mod sample;
mod table;

pub use sample::{Sample, SampleRecord};

use std::path;

use crate::{
    envelope::{Envelope, Framing},
    fault::Fault,
    format::Format,
    path::Path,
    predicate::Predicate,
    row::{Column, Value},
    time::TimeReader,
};

/// A declared stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// The name of its view: the file's name.
    pub name: String,
    /// The Kinesis stream, by name or ARN; `None` is Weir's own.
    pub stream: Option<String>,
    /// What stands around records.
    pub envelope: Envelope,
    /// The list whose elements are rows; `None`: one row a record.
    pub each: Option<Path>,
    /// How records are written.
    pub format: Format,
    /// Where a row's time stands. `None`: the envelope's own time, else arrival.
    pub time: Option<TimeField>,
    /// The field that a series is named by.
    pub key: Option<String>,
    /// The fields, in the order of the file.
    pub fields: Vec<Field>,
    /// Fields that also become rows of `events`, for the library's rules.
    pub metrics: Vec<String>,
    /// Rows that are neither events nor poison.
    pub ignore: Option<Predicate>,
    /// Whether Weir may put control records on the stream.
    pub heartbeat: bool,
    /// Texts that mean NULL.
    pub null: Vec<String>,
    /// Records and the rows that they must give.
    pub samples: Vec<Sample>,
    /// Weir's own contract, whose reasons and control records have their own rules.
    pub(crate) contract: bool,
}

/// The types of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A finite number: a JSON number, or a text that is one.
    Double,
    /// A whole number within 64 bits: a JSON number, or a text that is one. With a fraction or an exponent only when it is
    /// whole and at most 2^53 (`5.0` is 5).
    Integer,
    /// A text. Numbers and booleans keep the text that the record has.
    Text,
    /// `true` or `false`, also as text in any case; 1 or 0.
    Boolean,
    /// A time, see [`TimeReader`].
    Timestamp,
    /// Any JSON value, as its own text.
    Json,
}

/// Where a field's path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// At the row: the element that `each` is at, else the record.
    #[default]
    Row,
    /// At the record; `[*]` in the path follows `each`.
    Record,
    /// At the envelope.
    Envelope,
}

/// A field of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The column's name.
    pub name: String,
    /// Its type.
    pub kind: FieldType,
    /// Where it stands. In formats with columns: one member, the column's name, or one element, its number.
    pub path: Path,
    /// Where the path begins.
    pub of: Scope,
    /// Whether a record without it is poison.
    pub required: bool,
    /// What the column is when the field is absent.
    pub default: Option<Value>,
    /// How it is read when it is a timestamp.
    pub time: TimeReader,
}

/// Where a row's time stands, and how it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeField {
    /// Its path.
    pub path: Path,
    /// Where the path begins.
    pub of: Scope,
    /// How it is read.
    pub reader: TimeReader,
}

impl Declaration {
    /// Whether its records say when they were; those of other streams go by arrival.
    #[must_use]
    pub fn carries_time(&self) -> bool {
        self.time.is_some() || self.envelope.framing == Framing::CloudwatchLogs
    }

    /// Reads a stream's file from its text. The stream's name is the file's.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    ///
    /// ```
    /// use weir_stream::Declaration;
    /// let text = "key = \"device\"\n[fields]\ndevice = \"text\"\ntemperature = \"doubel\"\n";
    /// let faults = Declaration::parse("sql/streams/climate.toml".as_ref(), text).unwrap_err();
    /// assert!(faults[0].to_string().starts_with("sql/streams/climate.toml:4:15: there is no type `doubel`"));
    /// ```
    pub fn parse(file: &path::Path, text: &str) -> Result<Self, Vec<Fault>> {
        read::declaration(file, text)
    }

    /// The columns of its view besides `event_time`, in order: the fields, then what the envelope adds.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        self.all_fields()
            .map(|field| Column {
                name: field.name.clone(),
                kind: field.kind,
                nullable: !field.required && field.default.is_none(),
            })
            .collect()
    }

    /// The declared fields, then those that the envelope adds and nobody declared otherwise.
    pub(crate) fn all_fields(&self) -> impl Iterator<Item = Field> + '_ {
        let added =
            self.envelope.framing.columns().iter().filter(|(name, _)| !self.fields.iter().any(|f| f.name == *name));
        let added = added.map(|(name, kind)| Field {
            name: (*name).to_owned(),
            kind: *kind,
            path: Path::member(name),
            of: Scope::Envelope,
            required: false,
            default: None,
            time: TimeReader::default(),
        });
        self.fields.iter().cloned().chain(added)
    }
}

impl FieldType {
    /// All types, by the names that stream files use.
    pub const ALL: [(&'static str, Self); 6] = [
        ("double", Self::Double),
        ("integer", Self::Integer),
        ("text", Self::Text),
        ("boolean", Self::Boolean),
        ("timestamp", Self::Timestamp),
        ("json", Self::Json),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("text", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests;
