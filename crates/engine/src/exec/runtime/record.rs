//! From records to columns: the table's format, the records' arrival and their numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, RecordBatch, StringBuilder, TimestampNanosecondArray, UInt32Array};
use arrow::datatypes::SchemaRef;

use crate::connectors::{Polled, RawRecord};
use crate::exec::error::RunError;
use crate::formats::declared::DeclaredDecoder;
use crate::formats::json::{DecodeError, DecodeOptions, JsonDecoder};
use crate::program::{BadData, Format, TableInfo};
use weir_stream::Tally;

/// Decodes what a source's polls bring.
#[derive(Debug)]
pub(crate) struct RecordDecoder {
    table: TableInfo,
    /// The record's columns, arrival and number.
    schema: SchemaRef,
    decoder: Decoder,
}

#[derive(Debug)]
enum Decoder {
    Json(Box<JsonDecoder>),
    Bytes(BinaryBuilder),
    Text(StringBuilder),
    Declared(Box<DeclaredDecoder>),
}

/// A batch ends once its records and the texts of its rows have so many bytes. Arrow counts the bytes of a text column in 32 bits,
/// 2 GiB: what one more record adds at most ([`weir_stream::limits::MAX_TEXT_BYTES`], and as much that is refused), and what
/// rules make of a text, stays far below.
const BATCH_BYTES: u64 = 64 << 20;

/// A batch while records are added to it.
#[derive(Debug, Default)]
struct Part {
    arrivals: Vec<Option<i64>>,
    partitions: Vec<u32>,
    records: u64,
    bytes: u64,
    poison: u64,
    tally: Tally,
}

/// A decoded poll, or a part of one.
#[derive(Debug, Clone)]
pub(crate) struct Decoded {
    pub(crate) batch: RecordBatch,
    /// The shard of each row; empty when all are 0.
    pub(crate) partitions: Vec<u32>,
    /// The arrival of each row, where the connector knows it.
    pub(crate) arrival: Option<TimestampNanosecondArray>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) poison: u64,
    /// What the records of a declared stream became; with any other format nothing.
    pub(crate) tally: Tally,
}

impl RecordDecoder {
    pub(crate) fn new(table: &TableInfo, schema: &SchemaRef) -> Result<Self, RunError> {
        let decoder = match &table.format {
            Some(Format::RawBytes) => Decoder::Bytes(BinaryBuilder::new()),
            Some(Format::RawString) => Decoder::Text(StringBuilder::new()),
            Some(Format::Declared(declaration)) => Decoder::Declared(Box::new(DeclaredDecoder::new(declaration))),
            Some(Format::Json { unstructured, .. }) => Decoder::Json(Box::new(json_decoder(table, *unstructured)?)),
            // A connector without a format writes JSON for its own columns.
            None => Decoder::Json(Box::new(json_decoder(table, false)?)),
        };
        Ok(Self { table: table.clone(), schema: Arc::clone(schema), decoder })
    }

    /// Decodes records; `now` is the arrival of those whose connector does not know it. Gives one batch, or several where the rows
    /// would be too large for one.
    pub(crate) fn decode(&mut self, polled: Polled, now: i64) -> Result<Vec<Decoded>, RunError> {
        let (mut done, mut part) = (Vec::new(), Part::default());
        match polled {
            Polled::Records(records) => {
                for record in &records {
                    self.push(record, now, &mut part)?;
                    self.end_if_full(&mut part, now, &mut done)?;
                }
            }
            Polled::Lines(lines) => self.push_lines(&lines, now, &mut part, &mut done)?,
            Polled::Idle | Polled::Finished => return Ok(done),
        }
        if part.records > 0 || done.is_empty() {
            done.push(self.end(part, now)?);
        }
        Ok(done)
    }

    fn end_if_full(&mut self, part: &mut Part, now: i64, done: &mut Vec<Decoded>) -> Result<(), RunError> {
        let text = match &self.decoder {
            Decoder::Declared(decoder) => decoder.bytes(),
            _ => 0,
        };
        if part.bytes.saturating_add(text) >= BATCH_BYTES {
            done.push(self.end(std::mem::take(part), now)?);
        }
        Ok(())
    }

    /// The batch of what was pushed.
    fn end(&mut self, part: Part, now: i64) -> Result<Decoded, RunError> {
        let Part { arrivals, partitions, records, bytes, poison, tally } = part;
        let mut columns = self.finish()?;
        let rows = columns.first().map_or(0, |c| c.len());
        let known = arrivals.iter().any(Option::is_some);
        let column = if known {
            TimestampNanosecondArray::from_iter_values(arrivals.iter().map(|a| a.unwrap_or(now)))
        } else {
            TimestampNanosecondArray::from(vec![now; rows])
        };
        let arrival = known.then(|| TimestampNanosecondArray::from(arrivals));
        columns.push(Arc::new(column));
        columns.push(Arc::new(UInt32Array::from_iter_values(0..u32::try_from(rows).unwrap_or(u32::MAX))));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| RunError::BadData { table: self.table.name.clone(), reason: e.to_string() })?;
        Ok(Decoded { batch, partitions, arrival, records, bytes, poison, tally })
    }

    /// Adds the rows of a record.
    fn push(&mut self, record: &RawRecord, now: i64, part: &mut Part) -> Result<(), RunError> {
        let added = self.push_payload(record, now, part)?;
        part.records += 1;
        part.bytes = part.bytes.saturating_add(record.payload.len() as u64);
        part.arrivals.extend(std::iter::repeat_n(record.arrival_nanos, added));
        if record.partition != 0 || !part.partitions.is_empty() {
            part.partitions.resize(part.arrivals.len() - added, 0);
            part.partitions.extend(std::iter::repeat_n(record.partition, added));
        }
        Ok(())
    }

    /// Adds the rows of a record and says how many they are.
    fn push_payload(&mut self, record: &RawRecord, now: i64, part: &mut Part) -> Result<usize, RunError> {
        if let Decoder::Declared(decoder) = &mut self.decoder {
            let before = decoder.len();
            part.tally += decoder.push(&record.payload, record.arrival_nanos.unwrap_or(now));
            return Ok(decoder.len() - before);
        }
        if !self.table.newline_framing {
            return self.push_row(&record.payload, &mut part.poison);
        }
        let mut added = 0;
        for line in record.payload.split(|b| *b == b'\n') {
            if !line.iter().all(u8::is_ascii_whitespace) {
                added += self.push_row(line, &mut part.poison)?;
            }
        }
        Ok(added)
    }

    fn push_row(&mut self, payload: &[u8], poison: &mut u64) -> Result<usize, RunError> {
        let payload = payload.get(..self.table.max_line_bytes.unwrap_or(usize::MAX)).unwrap_or(payload);
        match &mut self.decoder {
            Decoder::Bytes(builder) => builder.append_value(payload),
            Decoder::Text(builder) => builder.append_value(String::from_utf8_lossy(payload)),
            Decoder::Json(decoder) => {
                if let Err(error) = decoder.push(payload) {
                    bad(&self.table, &error, poison)?;
                    return Ok(0);
                }
            }
            // Taken by `push_payload` and `push_lines`.
            Decoder::Declared(_) => return Ok(0),
        }
        Ok(1)
    }

    /// Adds lines, each of them a record; empty ones are none.
    fn push_lines(&mut self, lines: &[u8], now: i64, part: &mut Part, done: &mut Vec<Decoded>) -> Result<(), RunError> {
        if let (Decoder::Json(decoder), None) = (&mut self.decoder, self.table.max_line_bytes) {
            let before = decoder.len();
            let mut first = None;
            decoder.push_lines(lines, &mut |_, error| {
                part.poison += 1;
                first.get_or_insert(error);
            });
            part.records += (decoder.len() - before) as u64 + part.poison;
            part.bytes = part.bytes.saturating_add(lines.len() as u64);
            return match first {
                Some(error) if self.table.bad_data == BadData::Fail => bad(&self.table, &error, &mut 0),
                _ => Ok(()),
            };
        }
        for line in lines.split_inclusive(|b| *b == b'\n') {
            part.bytes = part.bytes.saturating_add(line.len() as u64);
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            part.records += 1;
            if let Decoder::Declared(decoder) = &mut self.decoder {
                part.tally += decoder.push(line, now);
            } else {
                self.push_row(line, &mut part.poison)?;
            }
            self.end_if_full(part, now, done)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, RunError> {
        Ok(match &mut self.decoder {
            Decoder::Bytes(builder) => vec![Arc::new(builder.finish()) as ArrayRef],
            Decoder::Text(builder) => vec![Arc::new(builder.finish()) as ArrayRef],
            Decoder::Declared(decoder) => decoder.finish(),
            Decoder::Json(decoder) => decoder
                .finish()
                .map_err(|e| RunError::BadData { table: self.table.name.clone(), reason: e.to_string() })?
                .columns()
                .to_vec(),
        })
    }
}

fn json_decoder(table: &TableInfo, unstructured: bool) -> Result<JsonDecoder, RunError> {
    JsonDecoder::new(&table.schema, DecodeOptions { unstructured })
        .map_err(|e| RunError::Table { table: table.name.clone(), reason: e.to_string() })
}

/// Counts a record that cannot be decoded, or ends the program, as the table asks.
fn bad(table: &TableInfo, error: &DecodeError, poison: &mut u64) -> Result<(), RunError> {
    match table.bad_data {
        BadData::Drop => {
            *poison += 1;
            Ok(())
        }
        BadData::Fail => Err(RunError::BadData { table: table.name.clone(), reason: error.to_string() }),
    }
}
