//! Decoding: records to rows, or to the reason why not.
//!
//! One pass reads a JSON record from its first to its last byte: it is checked strictly as a whole, and the wanted values are
//! taken out on the way, without a tree of the record. Nothing reaches the sink before the whole record was judged.

mod emit;
mod judge;
mod plan;
mod reader;
mod slot;
mod state;
mod unit;
mod unpack;
mod walk;

use std::sync::Arc;

use plan::Plan;
use state::State;

use crate::{
    declaration::Declaration,
    format::Format,
    row::{Column, RowSink, Tally},
};

pub(crate) use plan::contract_times;

/// A record as the stream has it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// When the stream accepted it, nanoseconds since the epoch: the time of rows that carry none.
    pub arrival: Option<i64>,
}

impl<'a> Record<'a> {
    /// A record whose arrival is not known.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, arrival: None }
    }
}

/// Decodes records of one stream. Cloning it is cheap beside making it; each thread has its own.
#[derive(Debug)]
pub struct Decoder {
    declaration: Arc<Declaration>,
    plan: Arc<Plan>,
    state: State,
    /// How many bytes the record at hand may still unpack to.
    budget: usize,
    /// How many bytes of text its rows may still hold.
    room: usize,
    columns: Arc<[Column]>,
    /// Finds control records on a stream whose own records are no JSON.
    control: Option<Box<Self>>,
}

impl Decoder {
    /// A decoder of a declared stream.
    ///
    /// ```
    /// use weir_stream::{Declaration, Decoder, Record, Rows};
    /// let text = "time = { path = \"at\", format = \"unix\" }\n[fields]\ndevice = \"text\"\n";
    /// let declaration = Declaration::parse("climate.toml".as_ref(), text).unwrap();
    /// let mut rows = Rows::default();
    /// Decoder::new(&declaration).decode(Record::new(br#"{"device":"cellar","at":1767225600}"#), &mut rows);
    /// let row = rows.rows().next().unwrap();
    /// assert_eq!(row.to_json(&declaration.columns()), r#"{"event_time":"2026-01-01T00:00:00Z","device":"cellar"}"#);
    /// ```
    #[must_use]
    pub fn new(declaration: &Declaration) -> Self {
        let plan = Arc::new(Plan::new(declaration));
        let aside = declaration.heartbeat && declaration.format != Format::Json;
        Self {
            state: State::new(&plan),
            budget: 0,
            room: 0,
            columns: declaration.columns().into(),
            control: aside.then(|| Box::new(Self::new(&crate::events::declaration()))),
            declaration: Arc::new(declaration.clone()),
            plan,
        }
    }

    /// The columns that rows have, in their order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The declaration that it follows.
    #[must_use]
    pub fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    /// Decodes one record: its rows, refusals and control records go to the sink, and each record inside it is counted once.
    pub fn decode(&mut self, record: Record<'_>, sink: &mut impl RowSink) -> Tally {
        let mut tally = Tally::default();
        self.unpack(record, sink, &mut tally);
        tally
    }
}

impl Clone for Decoder {
    fn clone(&self) -> Self {
        Self {
            declaration: Arc::clone(&self.declaration),
            plan: Arc::clone(&self.plan),
            state: State::new(&self.plan),
            budget: 0,
            room: 0,
            columns: Arc::clone(&self.columns),
            control: self.control.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
