//! Arroyo's own test connector: a file with one record a line, and a file that rows are written to.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::{ConnectorError, Polled, Sink, SinkRow, Source};
use crate::program::TableInfo;

/// What is read at once: whole lines are cut out of it.
const CHUNK: usize = 1 << 20;
/// The longest line; a longer one is no record but a wrong file.
const LONGEST_LINE: usize = 64 << 20;

fn path_of(table: &TableInfo) -> PathBuf {
    table.options.get("path").map(PathBuf::from).unwrap_or_default()
}

fn fault(path: &std::path::Path, source: std::io::Error) -> ConnectorError {
    ConnectorError::Io { path: path.display().to_string(), source }
}

/// Reads a file to its end.
#[derive(Debug)]
pub(super) struct FileSource {
    path: PathBuf,
    file: File,
    /// Where the first line that was not given out starts.
    offset: u64,
    /// Bytes that are read and not given out.
    rest: BytesMut,
    ended: bool,
}

impl FileSource {
    pub(super) fn open(table: &TableInfo, position: Option<&Value>) -> Result<Self, ConnectorError> {
        let path = path_of(table);
        let offset = position.and_then(Value::as_u64).unwrap_or(0);
        let mut file = File::open(&path).map_err(|e| fault(&path, e))?;
        file.seek(SeekFrom::Start(offset)).map_err(|e| fault(&path, e))?;
        Ok(Self { path, file, offset, rest: BytesMut::new(), ended: false })
    }

    fn fill(&mut self) -> Result<(), ConnectorError> {
        let start = self.rest.len();
        self.rest.resize(start + CHUNK, 0);
        let read = self.file.read(self.rest.get_mut(start..).unwrap_or_default()).map_err(|e| fault(&self.path, e))?;
        self.rest.truncate(start + read);
        self.ended = read == 0;
        Ok(())
    }

    /// Up to `max` whole lines; at the end of the file also one without a line feed.
    fn lines(&mut self, max: usize) -> Option<Bytes> {
        let mut lines = memchr::memchr_iter(b'\n', &self.rest).take(max.max(1));
        let end = lines.by_ref().last().map(|i| i + 1);
        let end = end.or_else(|| (self.ended && !self.rest.is_empty()).then_some(self.rest.len()))?;
        self.offset += end as u64;
        Some(self.rest.split_to(end).freeze())
    }
}

#[async_trait]
impl Source for FileSource {
    async fn poll(&mut self, max_records: usize, _: Duration) -> Result<Polled, ConnectorError> {
        loop {
            // A batch is cut short by what was read at once only where the file ends.
            if let Some(lines) = self.lines(max_records) {
                return Ok(Polled::Lines(lines));
            }
            if self.ended {
                return Ok(Polled::Finished);
            }
            if self.rest.len() > LONGEST_LINE {
                return Err(ConnectorError::Configuration(format!(
                    "{}: a line is longer than {LONGEST_LINE} bytes",
                    self.path.display()
                )));
            }
            self.fill()?;
        }
    }

    fn position(&self) -> Value {
        self.offset.into()
    }
}

/// Writes one row a line.
#[derive(Debug)]
pub(super) struct FileSink {
    path: PathBuf,
    file: BufWriter<File>,
    dirty: bool,
}

impl FileSink {
    /// Starts the file anew, or goes on after what an earlier run wrote.
    pub(super) fn open(table: &TableInfo, resume: bool) -> Result<Self, ConnectorError> {
        let path = path_of(table);
        let mut options = OpenOptions::new();
        if resume {
            options.append(true).create(true);
        } else {
            options.write(true).create(true).truncate(true);
        }
        let file = options.open(&path).map_err(|e| fault(&path, e))?;
        Ok(Self { path, file: BufWriter::new(file), dirty: false })
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn write(&mut self, rows: Vec<SinkRow>) -> Result<(), ConnectorError> {
        for row in rows {
            self.file
                .write_all(&row.payload)
                .and_then(|()| self.file.write_all(b"\n"))
                .map_err(|e| fault(&self.path, e))?;
        }
        self.dirty = true;
        Ok(())
    }

    fn flush_due_in(&self) -> Option<Duration> {
        self.dirty.then_some(Duration::from_millis(100))
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        self.file.flush().map_err(|e| fault(&self.path, e))?;
        self.dirty = false;
        Ok(())
    }
}
