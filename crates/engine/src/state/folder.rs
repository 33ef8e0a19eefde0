//! The checkpoint as a local file: written beside, synced, renamed, so that there is always a whole one.

use std::fs::{File, create_dir_all};
use std::io::{Read, Write};
use std::path::PathBuf;

use super::{NAME, StateError};

/// The folder that keeps a checkpoint.
#[derive(Debug, Clone)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    fn file(&self) -> PathBuf {
        self.0.join(NAME)
    }

    pub(super) fn place(&self) -> String {
        self.file().display().to_string()
    }

    /// The last content, when there is one.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, StateError> {
        let mut bytes = Vec::new();
        match File::open(self.file()).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Io { place: self.place(), source }),
        }
    }

    /// Replaces the content; when this returns, the new one survives a crash of the machine.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), StateError> {
        let write = || {
            create_dir_all(&self.0)?;
            let beside = self.0.join(format!("{NAME}.new"));
            let mut file = File::create(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, self.file())?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|source| StateError::Io { place: self.place(), source })
    }
}
