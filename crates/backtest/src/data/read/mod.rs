//! Reads a person's own events: JSON (a line each, glued together, over several lines, or as an array), CSV with a header line,
//! both also compressed, or Parquet.
//!
//! A record of JSON is handed on as it is written, as the stream would carry it. Rows of CSV and Parquet, and records whose fields
//! have other names, are first written as such records ([`make`]). Each is then decoded by the decoder of [`weir_decode`].

mod csv;
mod json;
mod make;
mod open;
mod parquet;
mod units;

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use weir_decode::{Decoded, EpochUnit, Fault, Reading, decode};

use super::TimedEvent;
pub use make::Columns;
pub(crate) use make::Maker;
use open::{Content, Kind};
use units::Units;

/// One record of a file.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// The line that it begins in, or the row; from 1.
    pub(crate) line: u64,
    /// Its bytes, as the stream would carry them.
    pub(crate) record: &'a [u8],
    /// What it is.
    pub(crate) read: Read,
}

/// What a record of a file is.
#[derive(Debug)]
pub(crate) enum Read {
    /// An event.
    Event(Reading),
    /// One of Weir's own records.
    Control,
    /// No event.
    Refused(Refusal),
}

/// Why a record of a file is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The reason in one word: as the quarantine has it, or `misfit` for a line of CSV that does not fit the header.
    pub(crate) reason: &'static str,
    /// What is wrong with it.
    pub(crate) message: String,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { reason: fault.reason.as_str(), message: fault.message }
    }
}

/// Takes what is read, record by record; an error ends the reading.
pub(crate) type Take<'a> = dyn FnMut(Found<'_>) -> Result<()> + 'a;

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was read to its end.
    Read,
    /// It holds no events, for this reason.
    Skipped(String),
}

/// Every event of a file, in order of time. The first record that is no event is an error.
///
/// # Errors
/// When the file cannot be read, holds anything but events, or none.
pub fn read(file: &Path, columns: &Columns) -> Result<Vec<TimedEvent>> {
    let mut events = Vec::new();
    let outcome = each(file, columns, &mut |found| {
        match found.read {
            Read::Event(reading) => events.push(TimedEvent { reading, record: found.record.to_vec() }),
            Read::Control => {}
            Read::Refused(refusal) => bail!(
                "{}:{}: {}\n  hint: mend or remove the line; nothing was sent",
                file.display(),
                found.line,
                refusal.message
            ),
        }
        Ok(())
    })?;
    if let Outcome::Skipped(why) = outcome {
        return Err(unknown(file, &why));
    }
    if events.is_empty() {
        bail!("{} holds no events", file.display());
    }
    events.sort_by_key(|event| event.reading.time);
    Ok(events)
}

/// Gives every record of a file, in the file's order; of a file that holds something else, says so.
///
/// # Errors
/// When the file cannot be read, when too many lines of CSV do not fit its header, or when its times are in another unit.
pub(crate) fn each(file: &Path, columns: &Columns, take: &mut Take<'_>) -> Result<Outcome> {
    let maker = Maker::new(columns, &stem(file));
    let content = match open::open(file, columns)? {
        Ok(content) => content,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let mut units = Units::new(file);
    let mut hand_on = |line: u64, record: Result<&[u8], Refusal>| {
        let found = match record {
            Ok(record) => Found { line, record, read: judge(record, line, &mut units)? },
            Err(refusal) => Found { line, record: &[], read: Read::Refused(refusal) },
        };
        take(found)
    };
    match content {
        Content::Parquet(input) => parquet::each(input, file, &maker, &mut hand_on)?,
        Content::Text(Kind::Csv, input) => csv::each(input, file, &maker, &mut hand_on)?,
        Content::Text(Kind::Json, input) => json::each(input, file, &maker, &mut hand_on)?,
    }
    units.end()?;
    Ok(Outcome::Read)
}

/// Takes a record's bytes, or why there are none, and the line that it begins in.
type HandOn<'a> = dyn FnMut(u64, Result<&[u8], Refusal>) -> Result<()> + 'a;

fn judge(record: &[u8], line: u64, units: &mut Units<'_>) -> Result<Read> {
    Ok(match decode(record) {
        Decoded::Event(reading) => {
            units.event();
            Read::Event(reading)
        }
        Decoded::Control => Read::Control,
        Decoded::Poison(fault) => {
            units.refused(&fault, line)?;
            Read::Refused(fault.into())
        }
    })
}

/// Reads one record that a stream carries.
pub(crate) fn of_stream(record: &[u8]) -> Read {
    match decode(record) {
        Decoded::Event(reading) => Read::Event(reading),
        Decoded::Control => Read::Control,
        Decoded::Poison(fault) => Read::Refused(fault.into()),
    }
}

/// A file that nothing is known about.
pub(crate) fn unknown(file: &Path, why: &str) -> anyhow::Error {
    anyhow!(
        "{}: {why}\n  hint: JSON, CSV with a header line (either also gzipped or as zstd) and Parquet are read",
        file.display()
    )
}

/// The file's name without the ending that says its kind: the source where a file names none.
#[must_use]
pub fn stem(file: &Path) -> String {
    let name = file.file_name().map_or_else(|| "unknown".to_owned(), |name| name.to_string_lossy().into_owned());
    let name = [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

/// The option that names a unit of time.
pub(crate) fn unit_option(unit: EpochUnit) -> String {
    format!("--timestamp-unit {}", unit.sign())
}

#[cfg(test)]
mod tests;
