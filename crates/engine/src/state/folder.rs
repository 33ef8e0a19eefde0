//! The checkpoint as a local file: written beside, synced, renamed, so that there is always a whole one. A lock on a file
//! beside it keeps other runs out; the system lets go of it when the run ends, however that may be.

use std::fs::{File, TryLockError, create_dir_all};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::warn;

use super::{NAME, StateError};

/// The file that a run locks. It stays: another run may hold it open already when this one ends.
const LOCK: &str = "lock";

/// The folder that keeps a checkpoint, while one run has it.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    /// Closed, and so unlocked, with the last copy.
    _lock: Arc<File>,
}

impl Folder {
    /// Makes the folder where it is not there, and takes it for this run.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let place = path.join(LOCK);
        let failed = |source| StateError::Io { place: place.display().to_string(), source };
        let open = || {
            create_dir_all(path)?;
            File::options().create(true).truncate(false).write(true).open(&place)
        };
        let lock = open().map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse { place: path.display().to_string() }),
            // Some network file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                warn!(folder = %path.display(), "the file system has no locks: nothing keeps a second run out");
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        Ok(Self { path: path.to_owned(), _lock: Arc::new(lock) })
    }

    fn file(&self) -> PathBuf {
        self.path.join(NAME)
    }

    pub(super) fn place(&self) -> String {
        self.file().display().to_string()
    }

    /// The last content, when there is one.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, StateError> {
        let mut bytes = Vec::new();
        match File::open(self.file()).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Io { place: self.place(), source }),
        }
    }

    /// Replaces the content; when this returns, the new one survives a crash of the machine.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), StateError> {
        let write = || {
            create_dir_all(&self.path)?;
            let beside = self.path.join(format!("{NAME}.new"));
            let mut file = File::create(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, self.file())?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|source| StateError::Io { place: self.place(), source })
    }
}
