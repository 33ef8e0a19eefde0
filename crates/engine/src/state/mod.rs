//! Checkpoints: where sources were, what operators held. One object, replaced as a whole, in a local folder ([`folder`]) or in
//! S3 ([`s3`]).

mod encode;
mod error;
mod folder;
mod location;
mod s3;

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

pub use encode::STATE_FORMAT;
pub use error::StateError;
pub use location::StateLocation;

use encode::DecodeError;
use folder::Folder;
use s3::Object;

/// The name of the file in a folder, and the last part of an object's key.
const NAME: &str = "checkpoint";

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

impl SourceState {
    /// Of a source that has read nothing.
    pub(crate) fn at_start(table: String, position: Value) -> Self {
        Self { table, position, watermark: Value::Null, finished: false }
    }
}

/// What an operator held: named tables.
#[derive(Debug)]
pub(crate) struct OperatorState {
    pub(crate) operator: usize,
    pub(crate) watermark: i64,
    pub(crate) tables: Vec<(String, RecordBatch)>,
}

/// Keeps a program's checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    place: Place,
    fingerprint: Arc<str>,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(Folder),
    Object { name: String, object: Arc<Mutex<Object>> },
}

impl Store {
    pub(crate) async fn open(location: &StateLocation, fingerprint: &str) -> Result<Self, StateError> {
        let place = match location {
            StateLocation::Folder(folder) => Place::Folder(Folder::open(folder)?),
            StateLocation::S3 { bucket, prefix } => {
                let object = Object::open(bucket, prefix).await?;
                Place::Object { name: object.place(), object: Arc::new(Mutex::new(object)) }
            }
        };
        Ok(Self { place, fingerprint: fingerprint.into() })
    }

    /// The last checkpoint, when there is one.
    pub(crate) async fn load(&self) -> Result<Option<Checkpoint>, StateError> {
        let bytes = match &self.place {
            Place::Folder(folder) => folder.read()?,
            Place::Object { object, .. } => object.lock().await.read().await?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        match encode::decode(&bytes, &self.fingerprint) {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            Err(DecodeError::OtherProgram) => Err(StateError::OtherProgram { place: self.name() }),
            Err(DecodeError::Damaged(reason)) => Err(StateError::Damaged { place: self.name(), reason }),
        }
    }

    /// Replaces the last checkpoint and says how many bytes it has. When this returns, the new one survives a crash of the
    /// machine.
    pub(crate) async fn save(&self, checkpoint: Checkpoint) -> Result<u64, StateError> {
        let fingerprint = Arc::clone(&self.fingerprint);
        let name = self.name();
        let failed = |source| StateError::Io { place: name.clone(), source };
        // Large state takes a while to encode and to write: not on a thread that serves others.
        let encoded = spawn_blocking(move || encode::encode(&checkpoint, &fingerprint));
        let encoded = encoded.await.map_err(|e| failed(std::io::Error::other(e)))?;
        let bytes = Bytes::from(encoded.map_err(|e| failed(std::io::Error::other(e)))?);
        let length = bytes.len() as u64;
        match &self.place {
            Place::Folder(folder) => {
                let folder = folder.clone();
                let written = spawn_blocking(move || folder.write(&bytes)).await;
                written.map_err(|e| failed(std::io::Error::other(e)))??;
            }
            Place::Object { object, .. } => object.lock().await.write(bytes).await?,
        }
        Ok(length)
    }

    fn name(&self) -> String {
        match &self.place {
            Place::Folder(folder) => folder.place(),
            Place::Object { name, .. } => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};

    async fn open(folder: &std::path::Path, fingerprint: &str) -> Store {
        Store::open(&folder.into(), fingerprint).await.unwrap()
    }

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

    #[tokio::test]
    async fn a_checkpoint_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), "x").await;
        assert!(store.load().await.unwrap().is_none());
        store.save(checkpoint()).await.unwrap();
        let loaded = store.load().await.unwrap().unwrap();
        assert_eq!(loaded.sources[0].position, 7);
        assert_eq!(loaded.operators[0].tables[0].1.num_rows(), 2);
    }

    #[tokio::test]
    async fn a_folder_is_one_runs_until_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), "x").await;
        let copy = first.clone();
        drop(first);
        let error = Store::open(&folder.path().into(), "x").await.unwrap_err();
        assert!(matches!(error, StateError::InUse { .. }), "{error}");
        drop(copy);
        Store::open(&folder.path().into(), "x").await.unwrap();
    }

    #[tokio::test]
    async fn another_programs_state_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), "x").await.save(checkpoint()).await.unwrap();
        let error = open(folder.path(), "y").await.load().await.unwrap_err();
        assert!(matches!(error, StateError::OtherProgram { .. }), "{error}");
    }

    #[tokio::test]
    async fn every_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), "x").await;
        store.save(checkpoint()).await.unwrap();
        let path = folder.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 7, 20, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(matches!(store.load().await, Err(StateError::Damaged { .. })), "cut at {cut}");
        }
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        assert!(matches!(store.load().await, Err(StateError::Damaged { .. })));
    }
}
