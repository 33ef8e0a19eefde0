//! Opens a file and finds out what it holds: by its first bytes, and by its name where those leave it open.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use anyhow::{Context, Result};
use flate2::bufread::MultiGzDecoder;

use super::{Columns, csv, zstd::Frames};

/// So much of a text is looked at to find out what it is: a long header line fits.
const LOOKED_AT: usize = 16 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
const PARQUET: &[u8] = b"PAR1";

/// First bytes of what is known and not read.
const NOT_READ: [(&[u8], &str); 11] = [
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\xff\x06\0\0sNaPpY", "Snappy"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"ORC", "ORC"),
    (b"Obj\x01", "Avro"),
    (b"SQLite format 3\0", "SQLite"),
    (b"ARROW1", "Arrow"),
    (b"\xff\xfe", "UTF-16 text (save it as UTF-8)"),
    (b"\xfe\xff", "UTF-16 text (save it as UTF-8)"),
];

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
    if begin.starts_with(PARQUET) {
        return Ok(Ok(Content::Parquet(input)));
    }
    let plain = BufReader::with_capacity(1 << 16, input);
    let mut text: Box<dyn BufRead> = if begin.starts_with(GZIP) {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(plain)))
    } else if begin.starts_with(ZSTD) {
        Box::new(BufReader::with_capacity(1 << 16, Frames::new(plain)))
    } else {
        Box::new(plain)
    };
    let mut begin = Vec::new();
    text.by_ref().take(LOOKED_AT as u64).read_to_end(&mut begin).with_context(what)?;
    if let Some((_, name)) = NOT_READ.iter().find(|(magic, _)| begin.starts_with(magic)) {
        return Ok(Err(format!("this is {name}, which is not read")));
    }
    if begin.starts_with(PARQUET) {
        return Ok(Err("this is Parquet that is compressed as a whole, which is not read".to_owned()));
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
