//! Checkpoints in a local folder: where sources were, what operators held.
//!
//! One file, replaced as a whole: written beside, synced, renamed. It carries its format, the program's fingerprint and a
//! checksum, so that neither another program's state nor half a file is ever taken for state.

use std::fs::{File, create_dir_all};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The file's first bytes; the number is the format's.
const MAGIC: &[u8; 8] = b"WEIRCK01";
const FILE: &str = "checkpoint";

/// What a checkpoint holds.
#[derive(Debug, Default)]
pub(crate) struct Checkpoint {
    pub(crate) sources: Vec<SourceState>,
    pub(crate) operators: Vec<OperatorState>,
}

/// Where a source was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SourceState {
    pub(crate) table: String,
    pub(crate) position: Value,
    /// The watermark's own state.
    pub(crate) watermark: Value,
    pub(crate) finished: bool,
}

/// What an operator held: named tables.
#[derive(Debug)]
pub(crate) struct OperatorState {
    pub(crate) operator: usize,
    pub(crate) watermark: i64,
    pub(crate) tables: Vec<(String, RecordBatch)>,
}

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

/// Why state could not be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder holds another program's state.
    #[error(
        "{path} holds the state of another program\nhint: choose another state folder, or remove this one to start from nothing"
    )]
    OtherProgram {
        /// The file.
        path: PathBuf,
    },
    /// The file is no checkpoint, or not whole.
    #[error("{path} is not a usable checkpoint: {reason}\nhint: remove it to start from nothing")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: std::io::Error,
    },
}

/// The folder that keeps a program's checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
    fingerprint: String,
}

impl Store {
    pub(crate) fn new(folder: &Path, fingerprint: &str) -> Self {
        Self { folder: folder.to_owned(), fingerprint: fingerprint.to_owned() }
    }

    /// The last checkpoint, when there is one.
    pub(crate) fn load(&self) -> Result<Option<Checkpoint>, StateError> {
        let path = self.folder.join(FILE);
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(mut file) => {
                file.read_to_end(&mut bytes).map_err(|source| StateError::Io { path: path.clone(), source })?
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Io { path, source }),
        };
        let damaged = |reason: String| StateError::Damaged { path: path.clone(), reason };
        let (header, body) = split(&bytes).map_err(|reason| damaged(reason.to_owned()))?;
        let header: Header = serde_json::from_slice(header).map_err(|e| damaged(e.to_string()))?;
        if header.fingerprint != self.fingerprint {
            return Err(StateError::OtherProgram { path });
        }
        let mut rest = body;
        let mut operators = Vec::with_capacity(header.operators.len());
        for stored in header.operators {
            let mut tables = Vec::with_capacity(stored.tables.len());
            for (name, length) in stored.tables {
                let (table, after) = usize::try_from(length)
                    .ok()
                    .and_then(|l| rest.split_at_checked(l))
                    .ok_or_else(|| damaged("a table is cut off".to_owned()))?;
                rest = after;
                tables.push((name, read_table(table).map_err(|e| damaged(e.to_string()))?));
            }
            operators.push(OperatorState { operator: stored.operator, watermark: stored.watermark, tables });
        }
        Ok(Some(Checkpoint { sources: header.sources, operators }))
    }

    /// Replaces the last checkpoint; when this returns, the new one survives a crash of the machine.
    pub(crate) fn save(&self, checkpoint: &Checkpoint) -> Result<u64, StateError> {
        let path = self.folder.join(FILE);
        let failed = |source: std::io::Error| StateError::Io { path: path.clone(), source };
        let mut body = Vec::new();
        let mut operators = Vec::with_capacity(checkpoint.operators.len());
        for state in &checkpoint.operators {
            let mut tables = Vec::with_capacity(state.tables.len());
            for (name, table) in &state.tables {
                let before = body.len();
                write_table(&mut body, table).map_err(|e| failed(std::io::Error::other(e)))?;
                tables.push((name.clone(), (body.len() - before) as u64));
            }
            operators.push(OperatorHeader { operator: state.operator, watermark: state.watermark, tables });
        }
        let header = Header { fingerprint: self.fingerprint.clone(), sources: checkpoint.sources.clone(), operators };
        let header = serde_json::to_vec(&header).map_err(|e| failed(e.into()))?;
        let mut bytes = Vec::with_capacity(MAGIC.len() + 16 + header.len() + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&body);
        let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        create_dir_all(&self.folder).map_err(failed)?;
        let beside = self.folder.join(format!("{FILE}.new"));
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(failed)?;
        Ok(bytes.len() as u64)
    }
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

fn write_table(out: &mut Vec<u8>, batch: &RecordBatch) -> Result<(), arrow::error::ArrowError> {
    let mut writer = StreamWriter::try_new(out, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()
}

fn read_table(bytes: &[u8]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut reader = StreamReader::try_new(bytes, None)?;
    let schema = reader.schema();
    reader.next().unwrap_or_else(|| Ok(RecordBatch::new_empty(schema)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use std::sync::Arc;

    fn checkpoint() -> Checkpoint {
        let batch = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap();
        Checkpoint {
            sources: vec![SourceState {
                table: "t".into(),
                position: 7.into(),
                watermark: Value::Null,
                finished: false,
            }],
            operators: vec![OperatorState { operator: 3, watermark: 5, tables: vec![("open-1".into(), batch)] }],
        }
    }

    #[test]
    fn a_checkpoint_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "x");
        assert!(store.load().unwrap().is_none());
        store.save(&checkpoint()).unwrap();
        let loaded = store.load().unwrap().unwrap();
        assert_eq!(loaded.sources[0].position, 7);
        assert_eq!(loaded.operators[0].tables[0].1.num_rows(), 2);
    }

    #[test]
    fn another_programs_state_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Store::new(folder.path(), "x").save(&checkpoint()).unwrap();
        let error = Store::new(folder.path(), "y").load().unwrap_err();
        assert!(matches!(error, StateError::OtherProgram { .. }), "{error}");
    }

    #[test]
    fn every_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "x");
        store.save(&checkpoint()).unwrap();
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 7, 20, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(matches!(store.load(), Err(StateError::Damaged { .. })), "cut at {cut}");
        }
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        assert!(matches!(store.load(), Err(StateError::Damaged { .. })));
    }
}
