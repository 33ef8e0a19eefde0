//! From a record to the records inside its envelope.

use weir_anomaly::kpl;

use super::{Decoder, Record, unit::Unit};
use crate::{
    declaration::Declaration,
    envelope::{Framing, Wrapping, cloudwatch_logs::Message, gzip},
    format::{Format, record_ends},
    json::Cursor,
    limits::{MAX_CELLS, MAX_ENVELOPES, MAX_ROWS, MAX_TEXT_BYTES, MAX_UNPACKED_BYTES},
    reason::{Poison, Reason},
    row::{RowSink, Tally},
};

impl Decoder {
    pub(super) fn unpack(&mut self, record: Record<'_>, sink: &mut impl RowSink, tally: &mut Tally) {
        self.budget = MAX_UNPACKED_BYTES;
        self.room = MAX_TEXT_BYTES;
        self.unwrap(record.bytes, record, 0, sink, tally);
    }

    /// Unpacks within what one record may be in all: an aggregate of many packed records is no way around the limit.
    fn gunzip(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Poison> {
        let unpacked = gzip::unpack(bytes, self.budget)?;
        self.budget -= unpacked.len();
        Ok(unpacked)
    }

    /// Takes the wrappings off, from the `depth`th on. `record` is what goes to quarantine.
    fn unwrap(&mut self, bytes: &[u8], record: Record<'_>, depth: usize, sink: &mut impl RowSink, tally: &mut Tally) {
        let wrappings = &self.declaration.envelope.wrappings;
        let wrapping = match wrappings.first() {
            // Anything may stand there, but something must.
            Some(Wrapping::Auto) if depth < MAX_ENVELOPES => Some(Wrapping::Auto),
            _ => wrappings.get(depth).copied().filter(|wrapping| *wrapping != Wrapping::Auto),
        };
        let Some(wrapping) = wrapping else { return self.frame(bytes, record, sink, tally) };
        if wrapping != Wrapping::Gzip
            && let Some(users) = kpl::deaggregate(bytes)
        {
            for user in users {
                let record = Record { bytes: user.data, ..record };
                self.unwrap(user.data, record, depth + 1, sink, tally);
            }
        } else if wrapping != Wrapping::Kpl && bytes.starts_with(&gzip::MAGIC) {
            match self.gunzip(bytes) {
                Ok(unpacked) => self.unwrap(&unpacked, record, depth + 1, sink, tally),
                Err(poison) => refuse(record.bytes, poison, sink, tally),
            }
        } else if wrapping == Wrapping::Auto {
            self.frame(bytes, record, sink, tally);
        } else {
            self.unwrap(bytes, record, depth + 1, sink, tally);
        }
    }

    fn frame(&mut self, bytes: &[u8], record: Record<'_>, sink: &mut impl RowSink, tally: &mut Tally) {
        if bytes.len() > MAX_UNPACKED_BYTES {
            return refuse(record.bytes, too_many_bytes(), sink, tally);
        }
        let unit = Unit { bytes, record, log: None };
        match self.declaration.envelope.framing {
            Framing::One | Framing::Eventbridge => self.unit(unit, sink, tally),
            Framing::Lines => {
                let lines = lines(bytes, &self.declaration);
                self.units(bytes, lines, record, sink, tally);
            }
            Framing::Values => match values(bytes) {
                Ok(values) => self.units(bytes, values, record, sink, tally),
                Err(poison) => refuse(record.bytes, poison, sink, tally),
            },
            Framing::CloudwatchLogs => self.log_events(bytes, record, sink, tally),
        }
    }

    /// Several records in one. One alone goes to quarantine as it came.
    fn units(
        &mut self,
        bytes: &[u8],
        units: Vec<(usize, usize)>,
        record: Record<'_>,
        sink: &mut impl RowSink,
        tally: &mut Tally,
    ) {
        if units.len() > MAX_ROWS {
            return refuse(record.bytes, too_many_rows(), sink, tally);
        }
        if units.is_empty() {
            tally.accepted += 1;
        }
        let alone = units.len() == 1;
        for (start, end) in units {
            let inner = bytes.get(start..end).unwrap_or_default();
            let record = if alone { record } else { Record { bytes: inner, ..record } };
            self.unit(Unit { bytes: inner, record, log: None }, sink, tally);
        }
    }

    fn log_events(&mut self, bytes: &[u8], record: Record<'_>, sink: &mut impl RowSink, tally: &mut Tally) {
        // The one envelope that is always gzipped by its sender, and not when one of its records comes from quarantine.
        let unpacked = if bytes.starts_with(&gzip::MAGIC) {
            match self.gunzip(bytes) {
                Ok(unpacked) => Some(unpacked),
                Err(poison) => return refuse(record.bytes, poison, sink, tally),
            }
        } else {
            None
        };
        let message = match Message::read(unpacked.as_deref().unwrap_or(bytes)) {
            Ok(Some(message)) => message,
            Ok(None) => {
                tally.accepted += 1;
                tally.ignored += 1;
                tally.left_out += 1;
                return;
            }
            Err(poison) => return refuse(record.bytes, poison, sink, tally),
        };
        if message.events.len() > MAX_ROWS {
            return refuse(record.bytes, too_many_rows(), sink, tally);
        }
        // Whether it is accepted or refused, each event carries the envelope with it.
        match self.room.checked_sub(message.head_bytes().saturating_mul(message.events.len())) {
            Some(room) => self.room = room,
            None => return refuse(record.bytes, too_much_text(), sink, tally),
        }
        if message.events.is_empty() {
            tally.accepted += 1;
        }
        for event in &message.events {
            let unit = Unit { bytes: event.message.as_bytes(), record, log: Some((&message, event)) };
            self.unit(unit, sink, tally);
        }
    }
}

pub(super) fn refuse(bytes: &[u8], poison: Poison, sink: &mut impl RowSink, tally: &mut Tally) {
    tally.poison += 1;
    sink.refused(bytes, poison);
}

fn too_many_bytes() -> Poison {
    Poison::new(Reason::TooLarge, format!("more than {MAX_UNPACKED_BYTES} bytes"))
}

pub(super) fn too_many_rows() -> Poison {
    Poison::new(Reason::TooLarge, format!("more than {MAX_ROWS} rows, or {MAX_CELLS} cells, in one record"))
}

pub(super) fn too_much_text() -> Poison {
    Poison::new(Reason::TooLarge, format!("more than {MAX_TEXT_BYTES} bytes of text in the rows of one record"))
}

/// The lines that are not empty; counted beyond [`MAX_ROWS`] by one at most.
fn lines(bytes: &[u8], declaration: &Declaration) -> Vec<(usize, usize)> {
    let mut lines = Vec::new();
    let mut start = 0;
    let add = |end: usize| {
        let line = bytes.get(start..end).unwrap_or_default();
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        if !line.iter().all(u8::is_ascii_whitespace) {
            lines.push((start, start + length));
        }
        start = end + 1;
        lines.len() <= MAX_ROWS
    };
    let (quote, delimiter) = match &declaration.format {
        Format::Csv(csv) => (csv.quote, csv.delimiter),
        _ => (None, b','),
    };
    record_ends(bytes, quote, delimiter, add);
    lines
}

/// The JSON values that stand one behind the other.
fn values(bytes: &[u8]) -> Result<Vec<(usize, usize)>, Poison> {
    let text = std::str::from_utf8(bytes).map_err(|error| super::unit::not_utf8(&error))?;
    let mut cursor = Cursor::new(text);
    let mut values = Vec::new();
    while !cursor.at_end() && values.len() <= MAX_ROWS {
        let start = cursor.position();
        cursor.skip(0).map_err(|error| super::unit::not_json(text, error))?;
        values.push((start, cursor.position()));
    }
    Ok(values)
}
