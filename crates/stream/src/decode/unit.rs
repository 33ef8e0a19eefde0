//! One record: what a verdict is passed on.

use std::borrow::Cow;

use super::{
    Decoder, Record, judge,
    reader::Reader,
    unpack::{refuse, too_much_text},
};
use crate::{
    envelope::cloudwatch_logs::{LogEvent, Message},
    format::Format,
    json::JsonError,
    reason::{Poison, Reason},
    row::{Control, RowSink, Tally},
};

/// A record inside its envelope.
#[derive(Clone, Copy)]
pub(super) struct Unit<'a> {
    pub(super) bytes: &'a [u8],
    /// What goes to quarantine, and when it arrived.
    pub(super) record: Record<'a>,
    /// The log event that it is.
    pub(super) log: Option<(&'a Message, &'a LogEvent)>,
}

impl Unit<'_> {
    fn quarantined(&self) -> Cow<'_, [u8]> {
        match self.log {
            Some((message, event)) => Cow::Owned(message.with_only(event)),
            None => Cow::Borrowed(self.record.bytes),
        }
    }

    /// The time of rows that carry none.
    fn time(&self) -> Option<i64> {
        match self.log {
            Some((_, event)) => event.timestamp.checked_mul(1_000_000),
            None => self.record.arrival,
        }
    }
}

impl Decoder {
    pub(super) fn unit(&mut self, unit: Unit<'_>, sink: &mut impl RowSink, tally: &mut Tally) {
        let read = match std::str::from_utf8(unit.bytes) {
            Ok(text) => self.read(text, &unit).map(|control| (text, control)),
            Err(error) => Err(not_utf8(&error)),
        };
        match read {
            Ok((_, Some(control))) => {
                tally.control += 1;
                sink.control(control);
            }
            Ok((text, None)) => self.emit(text, unit.time(), sink, tally),
            Err(poison) => refuse(&unit.quarantined(), poison, sink, tally),
        }
    }

    /// Fills the state with the rows of a record, and judges them.
    fn read(&mut self, text: &str, unit: &Unit<'_>) -> Result<Option<Control>, Poison> {
        self.state.reset();
        if let Some(control) = self.aside(text) {
            return Ok(Some(control));
        }
        let declaration = &*self.declaration;
        let text = if declaration.format == Format::Json { text } else { strip_bom(text) };
        let mut reader = Reader { declaration, plan: &self.plan, state: &mut self.state, text };
        if let Some(log) = unit.log {
            reader.envelope(log);
        }
        match &declaration.format {
            Format::Json => {
                reader.json()?;
                if let Some(control) = judge::control(&self.plan, &self.state, text) {
                    return Ok(Some(control));
                }
                Reader { declaration, plan: &self.plan, state: &mut self.state, text }.shape()?;
            }
            Format::Text(pattern) => reader.parts(pattern)?,
            Format::Csv(csv) => reader.csv(csv)?,
            Format::Logfmt => reader.logfmt()?,
        }
        judge::rows(declaration, &self.plan, &mut self.state, text, unit.time())?;
        let bytes = judge::text_bytes(&self.plan, &self.state);
        self.room = self.room.checked_sub(bytes).ok_or_else(too_much_text)?;
        Ok(None)
    }

    /// A control record on a stream whose own records are no JSON.
    fn aside(&mut self, text: &str) -> Option<Control> {
        let control = self.control.as_mut()?;
        if !text.starts_with('{') {
            return None;
        }
        control.state.reset();
        let mut reader =
            Reader { declaration: &control.declaration, plan: &control.plan, state: &mut control.state, text };
        reader.json().ok()?;
        judge::control(&control.plan, &control.state, text)
    }
}

fn strip_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

pub(super) fn not_utf8(error: &std::str::Utf8Error) -> Poison {
    Poison::new(Reason::NotUtf8, format!("byte {} is not UTF-8", error.valid_up_to()))
}

pub(super) fn not_json(text: &str, error: JsonError) -> Poison {
    let hint = match text.chars().next() {
        Some('\u{feff}') => "; the record begins with a byte order mark",
        Some('\u{1f}') => "; hint: envelope = \"gzip\"",
        _ => "",
    };
    Poison::new(Reason::NotJson, format!("{} at byte {}{hint}", error.problem, error.at))
}
