//! Rows that were decoded once, for programs that are run again and again on the same records: an editor evaluates a rule at each
//! change, and what the records hold does not change with it.
//!
//! What is kept is what operators without state gave for a batch: of a source by the bytes of its records, of all others by the
//! very memory that they read, which stays as long as its entry. An operator is known by its expressions.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayData, RecordBatch};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::source_task::Computed;
use crate::connectors::Polled;
use crate::exec::rows::expressions::bytes_of;
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
    sources: HashMap<u128, Computed>,
    /// What was read, which keeps its memory from being used for something else, and what came of it.
    rows: HashMap<u128, (RecordBatch, RecordBatch)>,
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

    fn keep(&self, bytes: usize, insert: impl FnOnce(&mut Kept)) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes.saturating_add(bytes) > BYTES_MOST {
            *kept = Kept::default();
        }
        kept.bytes = kept.bytes.saturating_add(bytes);
        insert(&mut kept);
    }
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

    pub(super) fn decoded(&self, name: u128) -> Option<Computed> {
        self.rows.0.lock().unwrap_or_else(PoisonError::into_inner).sources.get(&name).cloned()
    }

    pub(super) fn keep_decoded(&self, name: u128, computed: &Computed) {
        self.rows.keep(bytes_of(&computed.batch), |kept| drop(kept.sources.insert(name, computed.clone())));
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
            self.rows.0.lock().unwrap_or_else(PoisonError::into_inner).rows.get(&of).map(|(_, rows)| rows.clone());
        if let Some(rows) = kept {
            return rows;
        }
        let before = failures.count();
        let made = make();
        if failures.count() == before {
            let (input, rows) = (input.clone(), made.clone());
            self.rows.keep(bytes_of(&made), |kept| drop(kept.rows.insert(of, (input, rows))));
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
