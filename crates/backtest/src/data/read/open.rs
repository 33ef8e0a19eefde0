//! Opens a file and finds out what it holds: by its first bytes, and by its name where those leave it open.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use anyhow::{Context, Result};
use flate2::bufread::MultiGzDecoder;
use weir_records::{Frames, Magic, magic};

use super::{Columns, csv};

/// So much of a text is looked at to find out what it is: a long header line fits.
const LOOKED_AT: usize = 16 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What a file holds.
pub(super) enum Content {
    Parquet(File),
    /// Text, decompressed and without its byte order mark.
    Text(Kind, Box<dyn BufRead>),
}

/// The kind of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Csv,
    Json,
}

/// Opens a file; where it holds no events, says why.
pub(super) fn open(file: &Path, columns: &Columns) -> Result<Result<Content, String>> {
    let what = || format!("{} cannot be read", file.display());
    let mut input = File::open(file).with_context(what)?;
    let mut begin = Vec::new();
    input.by_ref().take(16).read_to_end(&mut begin).with_context(what)?;
    input.seek(SeekFrom::Start(0)).with_context(what)?;
    let kind = magic(&begin);
    if kind == Some(Magic::Parquet) {
        return Ok(Ok(Content::Parquet(input)));
    }
    let plain = BufReader::with_capacity(1 << 16, input);
    let mut text: Box<dyn BufRead> = match kind {
        Some(Magic::Gzip) => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(plain))),
        Some(Magic::Zstd) => Box::new(BufReader::with_capacity(1 << 16, Frames::new(plain))),
        _ => Box::new(plain),
    };
    let mut begin = Vec::new();
    text.by_ref().take(LOOKED_AT as u64).read_to_end(&mut begin).with_context(what)?;
    match magic(&begin) {
        Some(Magic::NotRead(name)) => return Ok(Err(format!("this is {name}, which is not read"))),
        Some(Magic::Parquet) => {
            return Ok(Err("this is Parquet that is compressed as a whole, which is not read".to_owned()));
        }
        _ => {}
    }
    let begin = match begin.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => rest.to_vec(),
        None => begin,
    };
    let kind = by_name(file).or_else(|| by_content(&begin, columns));
    let text: Box<dyn BufRead> = Box::new(BufReader::new(std::io::Cursor::new(begin).chain(text)));
    Ok(kind.map(|kind| Content::Text(kind, text)).ok_or_else(|| "what it holds is not known".to_owned()))
}

fn by_name(file: &Path) -> Option<Kind> {
    let name = file.file_name()?.to_string_lossy().to_ascii_lowercase();
    let name = [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "csv" | "tsv" => Some(Kind::Csv),
        "jsonl" | "ndjson" | "json" => Some(Kind::Json),
        _ => None,
    }
}

/// Firehose, Hive and Athena give files no ending.
fn by_content(begin: &[u8], columns: &Columns) -> Option<Kind> {
    let text = begin.trim_ascii_start();
    match text.first()? {
        b'{' | b'[' => Some(Kind::Json),
        _ => {
            let line = text.split(|byte| *byte == b'\n').next()?;
            csv::is_header(std::str::from_utf8(line).ok()?, columns).then_some(Kind::Csv)
        }
    }
}
