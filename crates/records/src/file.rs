//! The records of one file.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use flate2::bufread::{GzDecoder, MultiGzDecoder};
use weir_stream::limits::{MAX_ENVELOPES, MAX_UNPACKED_BYTES};

use crate::{
    LONGEST, Next, Place, Raw, Shape, Take, base64_text,
    content::{Looks, MAGIC_BYTES, Magic, looks, magic},
    export,
    json::Text,
    members::Members,
    zstd::Frames,
};

/// So much of a text is looked at to find out what it is.
const LOOKED_AT: u64 = 64 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How records were found, where what was read says where each of them ends.
pub(crate) const EXPORTED: &str = "records as `aws kinesis get-records` prints them";
pub(crate) const BASE64: &str = "records in base64";

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was read, this is how its records were found, and this is what is to be read next.
    Read(&'static str, Next),
    /// It holds no records that are read, for this reason.
    Skipped(String),
}

/// A text that was opened.
type Input = Box<dyn BufRead>;

/// Gives the records of a file; `name` is what a person knows it by.
pub(crate) fn each(name: &str, input: Box<dyn Read>, shape: Shape, take: &mut Take<'_>) -> Result<Outcome> {
    let what = || format!("{name} cannot be read");
    let mut input: Input = Box::new(BufReader::with_capacity(1 << 16, input));
    if shape == Shape::Whole {
        return whole(name, input, take);
    }
    if shape.gzip() {
        // A file of a record's size may be one: damaged, it is refused as a whole, as it is on the stream.
        match damaged_record(&mut input).with_context(what)? {
            Opened::Damaged(bytes) => {
                let next = take(Raw { bytes: &bytes, arrival: None, place: Place::File(name) })?;
                return Ok(Outcome::Read("each file one record", next));
            }
            Opened::Sound(sound) => input = sound,
        }
    }
    for _ in 0..=MAX_ENVELOPES {
        let begin = peek(&mut input, MAGIC_BYTES as u64).with_context(what)?;
        input = match magic(&begin) {
            Some(Magic::Gzip) if shape.gzip() => Box::new(BufReader::with_capacity(1 << 16, Members::new(input))),
            Some(Magic::Gzip) => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(input))),
            Some(Magic::Zstd) => Box::new(BufReader::with_capacity(1 << 16, Frames::new(input))),
            Some(Magic::Kpl) => return whole(name, input, take),
            Some(Magic::Parquet) => return Ok(Outcome::Skipped("this is Parquet: rows, not records".to_owned())),
            Some(Magic::NotRead(kind)) => return Ok(Outcome::Skipped(format!("this is {kind}, which is not read"))),
            None => break,
        };
    }
    let mut begin = peek(&mut input, LOOKED_AT).with_context(what)?;
    if begin.starts_with(BYTE_ORDER_MARK) {
        input.consume(0);
        let mut mark = [0; 3];
        input.read_exact(&mut mark).with_context(what)?;
        begin.drain(..BYTE_ORDER_MARK.len());
    }
    let looks = looks(&begin);
    match (shape, looks) {
        (_, Looks::Base64) => base64(name, input, take),
        (Shape::Lines { .. }, Looks::Json) if !is_export(&begin) => lines(name, 1, input, take),
        (Shape::Lines { .. }, Looks::Text | Looks::Binary) | (_, Looks::Text) => lines(name, 1, input, take),
        (Shape::Json { .. }, Looks::Binary) => lines(name, 1, input, take),
        (_, Looks::Binary) => whole(name, input, take),
        (shape, Looks::Json) => json(name, input, shape, take),
    }
}

/// Whether a text begins as AWS's tools print records; what is cut off is not looked at again.
fn is_export(begin: &[u8]) -> bool {
    let text = String::from_utf8_lossy(begin);
    ["\"PartitionKey\"", "\"Records\"", "\"kinesis\""].iter().any(|name| text.contains(name))
}

/// The first bytes, which stay the next ones.
fn peek(input: &mut Input, most: u64) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    input.by_ref().take(most).read_to_end(&mut begin)?;
    let rest = std::mem::replace(input, Box::new(io::empty()));
    *input = Box::new(BufReader::with_capacity(1 << 16, Cursor::new(begin.clone()).chain(rest)));
    Ok(begin)
}

enum Opened {
    Damaged(Vec<u8>),
    Sound(Input),
}

/// Looks whether a file that may be one gzipped record is damaged.
fn damaged_record(input: &mut Input) -> io::Result<Opened> {
    let begin = peek(input, LONGEST as u64)?;
    let rest = std::mem::replace(input, Box::new(io::empty()));
    if magic(&begin) != Some(Magic::Gzip) || begin.len() >= LONGEST {
        return Ok(Opened::Sound(rest));
    }
    let bytes: Arc<[u8]> = begin.into();
    let mut left: &[u8] = &bytes;
    while !left.is_empty() {
        let mut member = GzDecoder::new(left);
        let limit = MAX_UNPACKED_BYTES as u64;
        // What unpacks to more than a record may be is no single record, or refused as one.
        if io::copy(&mut member.by_ref().take(limit), &mut io::sink()).is_err() {
            return Ok(Opened::Damaged(bytes.to_vec()));
        }
        let after = member.into_inner();
        if after.len() == left.len() {
            break;
        }
        left = after;
    }
    Ok(Opened::Sound(rest))
}

fn whole(name: &str, input: Input, take: &mut Take<'_>) -> Result<Outcome> {
    let mut bytes = Vec::new();
    let most = MAX_UNPACKED_BYTES as u64;
    input.take(most + 1).read_to_end(&mut bytes).with_context(|| format!("{name} cannot be read"))?;
    if bytes.len() as u64 > most {
        bail!("{name} is no single record: it has more than {most} bytes");
    }
    let next = take(Raw { bytes: &bytes, arrival: None, place: Place::File(name) })?;
    Ok(Outcome::Read("each file one record", next))
}

fn json(name: &str, input: Input, shape: Shape, take: &mut Take<'_>) -> Result<Outcome> {
    let what = || format!("{name} cannot be read");
    let mut text = Text::of_values(input);
    let exported = text.peek_value().with_context(what)?.and_then(export::records).is_some();
    if exported {
        return exports(name, text, take);
    }
    match shape {
        // Lines that look like JSON, and are what was declared.
        Shape::Lines { .. } => {
            let (line, rest) = text.into_rest();
            return lines(name, line, rest, take);
        }
        Shape::Json { lists: true, .. } => {}
        Shape::Json { .. } => text.take_apart_lists().with_context(what)?,
        _ => text.take_apart_a_lone_list().with_context(what)?,
    }
    let how = "JSON values";
    while let Some((line, bytes)) = text.next_value().with_context(what)? {
        match take(Raw { bytes, arrival: None, place: Place::Line { of: name, line } })? {
            Next::Record => {}
            next => return Ok(Outcome::Read(how, next)),
        }
    }
    Ok(Outcome::Read(how, Next::Source))
}

/// Records as AWS's tools print them.
fn exports(name: &str, mut text: Text, take: &mut Take<'_>) -> Result<Outcome> {
    let how = EXPORTED;
    while let Some((line, value)) = text.next_value().with_context(|| format!("{name} cannot be read"))? {
        let Some(records) = export::records(value) else {
            bail!(
                "{name}:{line}: this is no record as `aws kinesis get-records` prints it, as those before it are\n  hint: `Data` must be base64, beside `PartitionKey` and `SequenceNumber`"
            );
        };
        let several = records.len() > 1;
        for (index, record) in records.into_iter().enumerate() {
            let place =
                if several { Place::Part { of: name, line, part: index + 1 } } else { Place::Line { of: name, line } };
            match take(Raw { bytes: &record.bytes, arrival: record.arrival, place })? {
                Next::Record => {}
                next => return Ok(Outcome::Read(how, next)),
            }
        }
    }
    Ok(Outcome::Read(how, Next::Source))
}

/// One record a line: the line without its end. Empty lines are none.
fn lines(name: &str, first: u64, input: Input, take: &mut Take<'_>) -> Result<Outcome> {
    let how = "one record a line";
    let next = each_line(name, first, input, |line, bytes| {
        take(Raw { bytes, arrival: None, place: Place::Line { of: name, line } })
    })?;
    Ok(Outcome::Read(how, next))
}

fn base64(name: &str, input: Input, take: &mut Take<'_>) -> Result<Outcome> {
    let next = each_line(name, 1, input, |line, words| {
        if words.len() > MAX_UNPACKED_BYTES {
            bail!(
                "{name}:{line}: a line of base64 has more than {MAX_UNPACKED_BYTES} bytes\n  hint: one record a line"
            );
        }
        for (index, word) in base64_text::words(words).enumerate() {
            let Some(bytes) = base64_text::decode(word) else {
                bail!("{name}:{line}: word {} is no base64, as those before it are", index + 1);
            };
            let place = Place::Part { of: name, line, part: index + 1 };
            match take(Raw { bytes: &bytes, arrival: None, place })? {
                Next::Record => {}
                next => return Ok(next),
            }
        }
        Ok(Next::Record)
    })?;
    Ok(Outcome::Read(BASE64, next))
}

fn each_line(
    name: &str,
    first: u64,
    mut input: Input,
    mut take: impl FnMut(u64, &[u8]) -> Result<Next>,
) -> Result<Next> {
    let mut bytes = Vec::new();
    for line in first.. {
        bytes.clear();
        // A longer line is cut, which is too long for a record, and its rest is no line of its own.
        let what = || format!("{name} cannot be read");
        let most = MAX_UNPACKED_BYTES as u64 + 1;
        if input.by_ref().take(most).read_until(b'\n', &mut bytes).with_context(what)? == 0 {
            return Ok(Next::Source);
        }
        if bytes.len() as u64 == most && !bytes.ends_with(b"\n") {
            input.skip_until(b'\n').with_context(what)?;
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.trim_ascii().is_empty() {
            continue;
        }
        match take(line, text)? {
            Next::Record => {}
            next => return Ok(next),
        }
    }
    Ok(Next::Source)
}

#[cfg(test)]
mod tests;
