//! Records in order of time, most of them on disk.
//!
//! Records are taken in runs of a limited size. A run is sorted, and written to a temporary file when the next one begins; a history
//! that fits into one run stays in memory. Reading merges the runs, so that memory holds one run while records come in, and a
//! small piece of each run afterwards.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    sync::Arc,
};

use bytes::Bytes;

/// A run is full with so many bytes of records ...
const RUN_BYTES: usize = 48 << 20;
/// ... or with so many records.
const RUN_RECORDS: usize = 1 << 20;
/// Bytes of a run's records that are read from disk at a time.
const PIECE: usize = 64 << 10;
/// Heads of a run's records that are read from disk at a time.
const HEADS: usize = 512;
/// Bytes of a head on disk.
const HEAD_BYTES: usize = 24;

/// What is known of a record without reading it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Head {
    /// Its time, nanoseconds since the epoch.
    pub(crate) nanos: i64,
    pub(crate) value: f64,
    /// The number of its series.
    pub(crate) series: u32,
    /// Bytes of the record.
    length: u32,
}

impl Head {
    /// In place of a series: the record itself, whose readings are heads of their own.
    pub(crate) const RECORD: u32 = u32::MAX;

    /// Whether it is a reading of a series.
    pub(crate) fn is_reading(&self) -> bool {
        self.series != Self::RECORD
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.nanos.to_le_bytes())?;
        out.write_all(&self.value.to_le_bytes())?;
        out.write_all(&self.series.to_le_bytes())?;
        out.write_all(&self.length.to_le_bytes())
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (nanos, rest) = bytes.split_first_chunk()?;
        let (value, rest) = rest.split_first_chunk()?;
        let (series, rest) = rest.split_first_chunk()?;
        let length = rest.first_chunk()?;
        Some(Self {
            nanos: i64::from_le_bytes(*nanos),
            value: f64::from_le_bytes(*value),
            series: u32::from_le_bytes(*series),
            length: u32::from_le_bytes(*length),
        })
    }
}

/// Takes records in any order.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    bytes: Vec<u8>,
    /// Each with its place in `bytes`.
    heads: Vec<(Head, usize)>,
    file: Option<BufWriter<File>>,
    written: u64,
    runs: Vec<Run>,
    records: usize,
}

/// Records in order of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    file: Option<Arc<File>>,
    runs: Vec<Run>,
    records: usize,
}

/// A part of the records, sorted.
#[derive(Debug, Clone)]
enum Run {
    Memory {
        heads: Arc<[(Head, usize)]>,
        bytes: Bytes,
    },
    /// Where its heads and its records are in the file, and how many.
    Disk {
        heads: u64,
        records: u64,
        count: u64,
    },
}

impl Collector {
    /// Takes a record.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub(crate) fn push(&mut self, (nanos, value, series): (i64, f64, u32), record: &[u8]) -> io::Result<()> {
        if self.bytes.len().saturating_add(record.len()) > RUN_BYTES || self.heads.len() >= RUN_RECORDS {
            self.spill()?;
        }
        let length = u32::try_from(record.len()).map_err(|_| io::Error::other("a record of 4 GiB"))?;
        self.heads.push((Head { nanos, value, series, length }, self.bytes.len()));
        self.bytes.extend_from_slice(record);
        self.records += 1;
        Ok(())
    }

    /// How many records were taken.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Records of one instant keep their order.
    fn sort(&mut self) {
        self.heads.sort_by_key(|(head, _)| head.nanos);
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.heads.is_empty() {
            return Ok(());
        }
        self.sort();
        let mut file = match self.file.take() {
            Some(file) => file,
            None => BufWriter::with_capacity(1 << 20, tempfile::tempfile()?),
        };
        let heads = self.written;
        for (head, _) in &self.heads {
            head.write(&mut file)?;
        }
        let records = heads + (self.heads.len() * HEAD_BYTES) as u64;
        for (head, start) in &self.heads {
            file.write_all(record_in(&self.bytes, *start, head.length))?;
        }
        self.written = records + self.bytes.len() as u64;
        self.runs.push(Run::Disk { heads, records, count: self.heads.len() as u64 });
        self.heads.clear();
        self.bytes.clear();
        self.file = Some(file);
        Ok(())
    }

    /// Ends the taking.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<Store> {
        if self.file.is_some() {
            self.spill()?;
        } else {
            self.sort();
            let (heads, bytes) = (std::mem::take(&mut self.heads), std::mem::take(&mut self.bytes));
            self.runs.push(Run::Memory { heads: heads.into(), bytes: bytes.into() });
        }
        let file =
            self.file.map(BufWriter::into_inner).transpose().map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Store { file: file.map(Arc::new), runs: self.runs, records: self.records })
    }
}

fn record_in(bytes: &[u8], start: usize, length: u32) -> &[u8] {
    bytes.get(start..start.saturating_add(length as usize)).unwrap_or_default()
}

impl Store {
    /// How many records there are.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// The records in order of time; of one instant, in the order in which they came.
    pub(crate) fn read(&self) -> Merge {
        self.merge(true)
    }

    /// The same without the records themselves, which is much quicker.
    pub(crate) fn heads(&self) -> impl Iterator<Item = io::Result<Head>> + use<> {
        self.merge(false).map(|read| read.map(|(head, _)| head))
    }

    fn merge(&self, with_records: bool) -> Merge {
        let cursors = self.runs.iter().map(|run| Cursor {
            run: run.clone(),
            file: self.file.clone(),
            next: 0,
            heads: Vec::new(),
            offset: 0,
            piece: (0, Bytes::new()),
            with_records,
        });
        Merge { cursors: cursors.collect(), heap: BinaryHeap::new(), opened: false }
    }
}

/// Goes through all runs at once.
#[derive(Debug)]
pub(crate) struct Merge {
    cursors: Vec<Cursor>,
    /// The time of each run's next record, and which run.
    heap: BinaryHeap<Reverse<(i64, usize)>>,
    opened: bool,
}

impl Iterator for Merge {
    type Item = io::Result<(Head, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        if !std::mem::replace(&mut self.opened, true) {
            for (index, cursor) in self.cursors.iter_mut().enumerate() {
                match cursor.peek() {
                    Ok(Some(head)) => self.heap.push(Reverse((head.nanos, index))),
                    Ok(None) => {}
                    Err(error) => return Some(Err(error)),
                }
            }
        }
        let mut top = self.heap.peek_mut()?;
        let Reverse((_, index)) = *top;
        let cursor = self.cursors.get_mut(index)?;
        let taken = cursor.take();
        match cursor.peek() {
            Ok(Some(head)) => *top = Reverse((head.nanos, index)),
            Ok(None) => {
                std::collections::binary_heap::PeekMut::pop(top);
            }
            Err(error) => return Some(Err(error)),
        }
        taken.transpose()
    }
}

/// A place in a run.
#[derive(Debug)]
struct Cursor {
    run: Run,
    file: Option<Arc<File>>,
    /// The number of the next record.
    next: u64,
    /// Heads that were read from disk, the next one last.
    heads: Vec<Head>,
    /// Where the next record is, behind the run's first.
    offset: u64,
    /// A piece of the records, and where it begins.
    piece: (u64, Bytes),
    with_records: bool,
}

impl Cursor {
    fn peek(&mut self) -> io::Result<Option<Head>> {
        let (at, count) = match &self.run {
            Run::Memory { heads, .. } => {
                return Ok(usize::try_from(self.next).ok().and_then(|next| heads.get(next)).map(|(head, _)| *head));
            }
            Run::Disk { heads, count, .. } => (heads + self.next * HEAD_BYTES as u64, *count),
        };
        if self.heads.is_empty() && self.next < count {
            let wanted = usize::try_from(count - self.next).unwrap_or(HEADS).min(HEADS);
            let mut bytes = vec![0; wanted * HEAD_BYTES];
            self.read_at(&mut bytes, at)?;
            self.heads.extend(bytes.chunks_exact(HEAD_BYTES).rev().filter_map(Head::read));
        }
        Ok(self.heads.last().copied())
    }

    fn take(&mut self) -> io::Result<Option<(Head, Bytes)>> {
        let Some(head) = self.peek()? else { return Ok(None) };
        let record = match &self.run {
            _ if !self.with_records => Bytes::new(),
            Run::Memory { heads, bytes } => {
                let place = usize::try_from(self.next).ok().and_then(|next| heads.get(next));
                place.map_or_else(Bytes::new, |(head, start)| bytes.slice(*start..*start + head.length as usize))
            }
            Run::Disk { records, heads, count } => {
                let end = records.saturating_sub(*heads) / HEAD_BYTES as u64;
                debug_assert_eq!(end, *count);
                self.on_disk(*records, head.length)?
            }
        };
        self.next += 1;
        self.offset += u64::from(head.length);
        self.heads.pop();
        Ok(Some((head, record)))
    }

    fn on_disk(&mut self, records: u64, length: u32) -> io::Result<Bytes> {
        let length = length as usize;
        let within = |piece: &(u64, Bytes), offset: u64| {
            let start = usize::try_from(offset.checked_sub(piece.0)?).ok()?;
            let end = start.checked_add(length)?;
            (end <= piece.1.len()).then(|| piece.1.slice(start..end))
        };
        if let Some(record) = within(&self.piece, self.offset) {
            return Ok(record);
        }
        let mut bytes = vec![0; PIECE.max(length)];
        let mut read = 0;
        // The last piece of a file is shorter.
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            let at = records + self.offset + read as u64;
            match self.file.as_ref().map_or(Ok(0), |file| file.read_at(rest, at))? {
                0 => break,
                more => read += more,
            }
        }
        bytes.truncate(read);
        self.piece = (self.offset, bytes.into());
        within(&self.piece, self.offset).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.read_exact_at(bytes, at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(times: &[i64], runs: usize) -> Store {
        let mut collector = Collector::default();
        for (index, nanos) in times.iter().enumerate() {
            if index > 0 && index.is_multiple_of((times.len() / runs.max(1)).max(1)) {
                collector.spill().unwrap();
            }
            let record = format!("{index}:{}", "x".repeat(index % 50));
            collector.push((*nanos, index as f64, index as u32), record.as_bytes()).unwrap();
        }
        collector.finish().unwrap()
    }

    proptest! {
        #[test]
        fn records_come_in_order_of_time_however_many_runs_there_are(
            times in prop::collection::vec(prop_oneof![-3_i64..3, Just(i64::MIN), Just(i64::MAX)], 0..200), runs in 0_usize..9,
        ) {
            let store = stored(&times, runs);
            let read: Vec<(i64, u32, Bytes)> =
                store.read().map(|read| read.map(|(head, record)| (head.nanos, head.series, record)).unwrap()).collect();
            let mut expected: Vec<(i64, u32)> = times.iter().copied().zip(0..).collect();
            expected.sort_by_key(|(nanos, _)| *nanos);
            prop_assert_eq!(read.iter().map(|(nanos, index, _)| (*nanos, *index)).collect::<Vec<_>>(), expected);
            for (_, index, record) in &read {
                let own = format!("{index}:{}", "x".repeat(*index as usize % 50));
                prop_assert_eq!(record.as_ref(), own.as_bytes());
            }
            prop_assert_eq!(store.heads().count(), times.len());
        }
    }
}
