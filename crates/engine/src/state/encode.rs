//! A checkpoint as bytes: its format, a header as JSON, the operators' tables as Arrow streams, and a checksum over all of
//! it, so that neither another program's state nor half a file is ever taken for state.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use super::{Checkpoint, OperatorState, SourceState};

/// The first bytes; the number is the format's.
const MAGIC: &[u8; 8] = b"WEIRCK02";

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    fingerprint: String,
    sources: Vec<SourceState>,
    operators: Vec<OperatorHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OperatorHeader {
    operator: usize,
    watermark: i64,
    tables: Vec<(String, u64)>,
}

/// Why bytes are no checkpoint of this program.
#[derive(Debug)]
pub(super) enum DecodeError {
    OtherProgram,
    Damaged(String),
}

pub(super) fn encode(checkpoint: &Checkpoint, fingerprint: &str) -> Result<Vec<u8>, ArrowError> {
    let mut body = Vec::new();
    let mut operators = Vec::with_capacity(checkpoint.operators.len());
    for state in &checkpoint.operators {
        let mut tables = Vec::with_capacity(state.tables.len());
        for (name, table) in &state.tables {
            let before = body.len();
            write_table(&mut body, table)?;
            tables.push((name.clone(), (body.len() - before) as u64));
        }
        operators.push(OperatorHeader { operator: state.operator, watermark: state.watermark, tables });
    }
    let header = Header { fingerprint: fingerprint.to_owned(), sources: checkpoint.sources.clone(), operators };
    let header = serde_json::to_vec(&header).map_err(|e| ArrowError::ExternalError(Box::new(e)))?;
    let mut bytes = Vec::with_capacity(MAGIC.len() + 16 + header.len() + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(&body);
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

pub(super) fn decode(bytes: &[u8], fingerprint: &str) -> Result<Checkpoint, DecodeError> {
    let damaged = |reason: &str| DecodeError::Damaged(reason.to_owned());
    let (header, mut rest) = split(bytes).map_err(damaged)?;
    let header: Header = serde_json::from_slice(header).map_err(|e| damaged(&e.to_string()))?;
    if header.fingerprint != fingerprint {
        return Err(DecodeError::OtherProgram);
    }
    let mut operators = Vec::with_capacity(header.operators.len());
    for stored in header.operators {
        let mut tables = Vec::with_capacity(stored.tables.len());
        for (name, length) in stored.tables {
            let (table, after) = usize::try_from(length)
                .ok()
                .and_then(|l| rest.split_at_checked(l))
                .ok_or_else(|| damaged("a table is cut off"))?;
            rest = after;
            tables.push((name, read_table(table).map_err(|e| damaged(&e.to_string()))?));
        }
        operators.push(OperatorState { operator: stored.operator, watermark: stored.watermark, tables });
    }
    Ok(Checkpoint { sources: header.sources, operators })
}

/// The header and the tables of a whole file.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let (content, checksum) = bytes.split_last_chunk::<8>().ok_or("it is too short")?;
    let rest = content.strip_prefix(MAGIC).ok_or("it has another format")?;
    if xxhash_rust::xxh3::xxh3_64(content) != u64::from_le_bytes(*checksum) {
        return Err("its checksum does not match");
    }
    let (length, rest) = rest.split_first_chunk::<8>().ok_or("it is too short")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "it is too long")?;
    rest.split_at_checked(length).ok_or("it is too short")
}

fn write_table(out: &mut Vec<u8>, batch: &RecordBatch) -> Result<(), ArrowError> {
    let mut writer = StreamWriter::try_new(out, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()
}

fn read_table(bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
    let mut reader = StreamReader::try_new(bytes, None)?;
    let schema = reader.schema();
    reader.next().unwrap_or_else(|| Ok(RecordBatch::new_empty(schema)))
}
