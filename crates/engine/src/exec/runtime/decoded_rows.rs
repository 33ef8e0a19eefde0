//! Rows that were decoded once, for programs that are run again and again on the same records: an editor evaluates a rule at each
//! change, and what the records hold does not change with it.
//!
//! What is kept is what operators without state gave for a batch: of a source by the bytes of its records, of all others by the
//! very memory that they read, which stays as long as its entry. An operator is known by its expressions.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayData, ArrayRef, RecordBatch};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::source_task::Computed;
use crate::connectors::Polled;
use crate::exec::rows::expressions::bytes_of_column;
use crate::exec::rows::failures::Failures;
use crate::program::RowExpressions;

/// What is kept at most: more is forgotten all at once, and computed anew.
const BYTES_MOST: usize = 1 << 30;
/// Functions whose value is another at each call.
const VOLATILE: [&str; 5] = ["now(", "current_", "random(", "uuid(", "rand("];

/// Rows that were decoded in earlier runs. Cloning it shares it.
#[derive(Debug, Clone, Default)]
pub struct DecodedRows(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    sources: HashMap<u128, (Arc<[Computed]>, usize)>,
    /// What was read, which keeps its memory from being used for something else, and what came of it.
    rows: HashMap<u128, ((RecordBatch, RecordBatch), usize)>,
    /// Of all entries; each says its own.
    bytes: usize,
}

impl Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// The rows of one operator, or of one source, by its expressions.
#[derive(Debug, Clone)]
pub(crate) struct OperatorRows {
    rows: DecodedRows,
    operator: u64,
}

impl DecodedRows {
    /// Of an operator; `None` where its rows differ from run to run.
    pub(crate) fn of(&self, table: &str, expressions: &RowExpressions) -> Option<OperatorRows> {
        let text = format!("{table} {expressions:?}");
        let lower = text.to_lowercase();
        let operator = xxh3_64(text.as_bytes());
        (!VOLATILE.iter().any(|name| lower.contains(name))).then(|| OperatorRows { rows: self.clone(), operator })
    }

    fn keep<T>(
        &self,
        (name, entry, bytes): (u128, T, usize),
        of: impl FnOnce(&mut Kept) -> &mut HashMap<u128, (T, usize)>,
    ) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes.saturating_add(bytes) > BYTES_MOST {
            *kept = Kept::default();
        }
        // More than there is room for at all.
        if bytes > BYTES_MOST {
            return;
        }
        // Two runs at the same time may make the same.
        let before = of(&mut kept).insert(name, (entry, bytes)).map_or(0, |(_, bytes)| bytes);
        kept.bytes = kept.bytes.saturating_add(bytes).saturating_sub(before);
    }
}

/// Bytes of batches, columns that several of them share counted once.
fn bytes_of_all(batches: &[&RecordBatch]) -> usize {
    let mut seen: Vec<&ArrayRef> = Vec::new();
    for column in batches.iter().flat_map(|batch| batch.columns()) {
        if !seen.iter().any(|known| Arc::ptr_eq(known, column)) {
            seen.push(column);
        }
    }
    seen.into_iter().map(bytes_of_column).sum()
}

impl OperatorRows {
    /// The name of a poll; `None` where its records do not say all that comes of them: one without a time of arrival arrives now.
    pub(crate) fn name_of(&self, polled: &Polled) -> Option<u128> {
        let Polled::Records(records) = polled else { return None };
        let mut hash = Xxh3::with_seed(self.operator);
        for record in records {
            hash.update(&record.arrival_nanos?.to_le_bytes());
            hash.update(&record.partition.to_le_bytes());
            hash.update(&record.payload.len().to_le_bytes());
            hash.update(&record.payload);
        }
        Some(hash.digest128())
    }

    pub(super) fn decoded(&self, name: u128) -> Option<Arc<[Computed]>> {
        let kept = self.rows.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.sources.get(&name).map(|(computed, _)| Arc::clone(computed))
    }

    pub(super) fn keep_decoded(&self, name: u128, computed: &Arc<[Computed]>) {
        let bytes = computed.iter().map(|rows| bytes_of_all(&[&rows.batch, &rows.decoded.batch])).sum();
        self.rows.keep((name, Arc::clone(computed), bytes), |kept| &mut kept.sources);
    }

    /// What the operator gives for a batch: as it was kept, or made now. Where some row failed nothing is kept, so that it is
    /// counted each time.
    pub(crate) fn rows(
        &self,
        input: &RecordBatch,
        failures: &Failures,
        make: impl FnOnce() -> RecordBatch,
    ) -> RecordBatch {
        let mut hash = Xxh3::with_seed(self.operator);
        input.columns().iter().for_each(|column| name(&column.to_data(), &mut hash));
        hash.update(&input.num_rows().to_le_bytes());
        let of = hash.digest128();
        let kept =
            self.rows.0.lock().unwrap_or_else(PoisonError::into_inner).rows.get(&of).map(|((_, rows), _)| rows.clone());
        if let Some(rows) = kept {
            return rows;
        }
        let before = failures.count();
        let made = make();
        if failures.count() == before {
            let bytes = bytes_of_all(&[input, &made]);
            self.rows.keep((of, (input.clone(), made.clone()), bytes), |kept| &mut kept.rows);
        }
        made
    }
}

/// Names an array by where it lies.
fn name(data: &ArrayData, hash: &mut Xxh3) {
    for place in [data.len(), data.offset()] {
        hash.update(&place.to_le_bytes());
    }
    let nulls = data.nulls().map(|nulls| (nulls.buffer().as_ptr() as usize, nulls.offset()));
    let (at, offset) = nulls.unwrap_or((0, 0));
    hash.update(&at.to_le_bytes());
    hash.update(&offset.to_le_bytes());
    for buffer in data.buffers() {
        hash.update(&(buffer.as_ptr() as usize).to_le_bytes());
    }
    data.child_data().iter().for_each(|child| name(child, hash));
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn batch(rows: usize) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1; rows])) as ArrayRef)]).unwrap()
    }

    fn kept(rows: &OperatorRows) -> (usize, usize) {
        let kept = rows.rows.0.lock().unwrap();
        (kept.rows.len(), kept.bytes)
    }

    #[test]
    fn what_is_kept_counts_with_what_keeps_it_and_once() {
        let rows = OperatorRows { rows: DecodedRows::default(), operator: 1 };
        let failures = Failures::of_rule(&Arc::default(), None);
        let (input, made) = (batch(1000), batch(10));
        rows.rows(&input, &failures, || made.clone());
        assert_eq!(kept(&rows), (1, 8 * 1010), "the input is kept as well");
        // Another run that made the same meanwhile.
        rows.rows.keep((1, (input.clone(), made.clone()), 100), |kept| &mut kept.rows);
        rows.rows.keep((1, (input.clone(), made), 200), |kept| &mut kept.rows);
        assert_eq!(kept(&rows), (2, 8 * 1010 + 200));
        // An operator that hands its rows on gives the same columns.
        let same = batch(5);
        rows.rows(&same, &failures, || same.clone());
        assert_eq!(kept(&rows), (3, 8 * 1015 + 200));
    }

    #[test]
    fn there_is_never_more_than_the_limit() {
        let rows = DecodedRows::default();
        let entry = || (batch(1), batch(1));
        for name in 0..5 {
            rows.keep((name, entry(), BYTES_MOST / 2), |kept| &mut kept.rows);
            let kept = rows.0.lock().unwrap();
            let sum: usize = kept.rows.values().map(|(_, bytes)| bytes).sum();
            assert!(kept.bytes == sum && sum <= BYTES_MOST, "{sum}");
        }
        rows.keep((9, entry(), BYTES_MOST + 1), |kept| &mut kept.rows);
        assert_eq!(rows.0.lock().unwrap().rows.len(), 0, "nor is what alone is more");
        let text =
            RecordBatch::try_from_iter([("t", Arc::new(StringArray::from(vec!["abc"; 4])) as ArrayRef)]).unwrap();
        assert!(bytes_of_all(&[&text, &text]) == bytes_of_all(&[&text]) && bytes_of_all(&[&text]) >= 12);
    }
}
