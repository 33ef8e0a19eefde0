//! The rows of one side of a join, found by their key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampNanosecondArray, UInt32Array};
use arrow::compute::kernels::cmp::gt_eq;
use arrow::compute::{concat_batches, filter_record_batch, interleave_record_batch, is_not_null};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampNanosecondType, UInt32Type};
use datafusion::common::{DataFusionError, Result};
use hashbrown::DefaultHashBuilder;

use super::keys::JoinKeyEncoder;
use crate::exec::rows::batch::{LateRowCounter, TracedBatch};
use crate::exec::rows::expressions::bytes_of;
use crate::exec::rows::failures::Failures;
use crate::exec::time::after;
use crate::program::{NodeId, ROW, TIMESTAMP};

/// Rows of a batch that comes back from a checkpoint: a batch is forgotten as a whole.
const RESTORED_ROWS: usize = 8192;
/// The index is cleaned when so many of its entries, and more than are in use, belong to rows that are gone.
const CLEAN_FROM: usize = 8192;
/// The column behind those of the input: the watermark before each row.
const BEFORE: &str = "__weir_before";

#[derive(Debug)]
pub(crate) struct JoinSide {
    pub(crate) node: NodeId,
    /// Where the input has the rows' times.
    pub(crate) time: usize,
    /// Where the input has the rows' numbers.
    row: usize,
    /// How many columns the input has.
    columns: usize,
    /// `None` where the plan does not tell: then every kept row is handed to it.
    key: Option<JoinKeyEncoder>,
    /// By number, in the order in which they came.
    batches: BTreeMap<u64, KeptBatch>,
    next: u64,
    /// Where rows of a key are, by the key's hash. The plan compares the keys themselves.
    index: HashMap<u64, Vec<RowLocation>>,
    rows: usize,
    /// Entries of the index whose rows are gone.
    stale: usize,
    bytes: usize,
}

#[derive(Debug)]
struct KeptBatch {
    batch: RecordBatch,
    first: i64,
    last: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RowLocation {
    batch: u64,
    row: u32,
}

impl JoinSide {
    pub(crate) fn new(node: NodeId, schema: &SchemaRef, key: Option<JoinKeyEncoder>) -> Result<Self> {
        Ok(Self {
            node,
            time: schema.index_of(TIMESTAMP)?,
            row: schema.index_of(ROW)?,
            columns: schema.fields().len(),
            key,
            batches: BTreeMap::new(),
            next: 0,
            index: HashMap::new(),
            rows: 0,
            stale: 0,
            bytes: 0,
        })
    }

    /// Where kept rows have the watermark before them.
    pub(crate) fn before(&self) -> usize {
        self.columns
    }

    /// The rows of a batch that have a time, with the watermark before each. That of a window's result is its end, at
    /// which it could first be known.
    pub(crate) fn take(&self, traced: &TracedBatch, late: &mut LateRowCounter) -> Result<RecordBatch> {
        let batch = &traced.batch;
        let times = batch.column(self.time).as_primitive::<TimestampNanosecondType>();
        let numbers = batch.column(self.row).as_primitive::<UInt32Type>().values();
        let before: Int64Array = match &traced.provenance {
            Some(_) => {
                let lateness = traced.lateness(i64::MIN);
                numbers.iter().map(|number| lateness.watermark_at(*number)).collect()
            }
            None => times.values().iter().map(|time| after(*time, 1)).collect(),
        };
        let rows = with_before(batch, Arc::new(before))?;
        if times.null_count() == 0 {
            return Ok(rows);
        }
        for (_, number) in numbers.iter().enumerate().filter(|(row, _)| times.is_null(*row)) {
            late.add(traced, *number);
        }
        Ok(filter_record_batch(&rows, &is_not_null(times)?)?)
    }

    /// Rows with their numbers from 0 on.
    pub(crate) fn numbered(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = rows.columns().to_vec();
        if let Some(slot) = columns.get_mut(self.row) {
            *slot = Arc::new(UInt32Array::from_iter_values(0..u32::try_from(rows.num_rows()).unwrap_or(u32::MAX)));
        }
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }

    pub(crate) fn hashes(&self, batch: &RecordBatch, hasher: &DefaultHashBuilder) -> Result<Option<Vec<u64>>> {
        let Some(key) = &self.key else { return Ok(None) };
        let rows = key.encode(batch)?;
        Ok(Some(rows.iter().map(|row| hasher.hash_one(row.as_ref())).collect()))
    }

    /// The rows whose keys can be computed, with the keys' hashes; the others are counted.
    pub(crate) fn hashed(
        &self,
        batch: &RecordBatch,
        hasher: &DefaultHashBuilder,
        failures: &Failures,
    ) -> Result<(RecordBatch, Option<Vec<u64>>)> {
        let mut hash = |rows: Range<usize>| {
            let part = batch.slice(rows.start, rows.len());
            let hashes = self.hashes(&part, hasher)?;
            Ok::<_, DataFusionError>((part, hashes.unwrap_or_default()))
        };
        let (parts, hashes): (Vec<_>, Vec<_>) = failures.over(0..batch.num_rows(), &mut hash).into_iter().unzip();
        Ok((concat_batches(&batch.schema(), &parts)?, Some(hashes.concat())))
    }

    pub(crate) fn keep(&mut self, batch: RecordBatch, hashes: Option<&[u64]>) {
        let times = batch.column(self.time).as_primitive::<TimestampNanosecondType>();
        let (Some(first), Some(last)) = (arrow::compute::min(times), arrow::compute::max(times)) else { return };
        for (row, hash) in (0u32..).zip(hashes.unwrap_or_default()) {
            self.index.entry(*hash).or_default().push(RowLocation { batch: self.next, row });
        }
        self.rows += batch.num_rows();
        self.bytes += bytes_of(&batch);
        self.batches.insert(self.next, KeptBatch { batch, first, last });
        self.next += 1;
    }

    /// Kept rows that have one of these keys, in the order in which they came.
    pub(crate) fn of_keys(&self, hashes: &[u64], oldest: i64) -> Result<Option<RecordBatch>> {
        let distinct: BTreeSet<u64> = hashes.iter().copied().collect();
        let mut places: Vec<RowLocation> =
            distinct.iter().filter_map(|h| self.index.get(h)).flatten().copied().collect();
        places.sort_unstable();
        let (mut batches, mut picked, mut current) = (Vec::new(), Vec::with_capacity(places.len()), None);
        for place in places {
            let Some(kept) = self.batches.get(&place.batch) else { continue };
            if kept.first < oldest && !self.is_young(kept, place.row, oldest) {
                continue;
            }
            if current != Some(place.batch) {
                batches.push(&kept.batch);
                current = Some(place.batch);
            }
            picked.push((batches.len() - 1, place.row as usize));
        }
        if picked.is_empty() {
            return Ok(None);
        }
        Ok(Some(interleave_record_batch(&batches, &picked)?))
    }

    fn is_young(&self, kept: &KeptBatch, row: u32, oldest: i64) -> bool {
        let times = kept.batch.column(self.time).as_primitive::<TimestampNanosecondType>();
        times.values().get(row as usize).is_some_and(|time| *time >= oldest)
    }

    /// All kept rows.
    pub(crate) fn all(&self, oldest: i64) -> Result<Option<RecordBatch>> {
        let young = |kept: &KeptBatch| {
            if kept.first >= oldest {
                return Ok(kept.batch.clone());
            }
            let times = kept.batch.column(self.time).as_primitive::<TimestampNanosecondType>();
            let young = gt_eq(times, &TimestampNanosecondArray::new_scalar(oldest))?;
            Ok(filter_record_batch(&kept.batch, &young)?)
        };
        let rows = self.batches.values().map(young).collect::<Result<Vec<_>>>()?;
        let Some(first) = rows.first() else { return Ok(None) };
        Ok(Some(concat_batches(&first.schema(), &rows)?))
    }

    /// Takes the rows of a checkpoint back.
    pub(crate) fn restore(&mut self, rows: &RecordBatch, hasher: &DefaultHashBuilder) -> Result<()> {
        // A checkpoint of an earlier version has rows without the watermark before them.
        let rows = if rows.num_columns() > self.columns {
            rows.clone()
        } else {
            with_before(rows, Arc::new(Int64Array::from(vec![i64::MIN; rows.num_rows()])))?
        };
        for start in (0..rows.num_rows()).step_by(RESTORED_ROWS) {
            let part = rows.slice(start, RESTORED_ROWS.min(rows.num_rows() - start));
            let hashes = self.hashes(&part, hasher)?;
            self.keep(part, hashes.as_deref());
        }
        Ok(())
    }

    pub(crate) fn forget_before(&mut self, oldest: i64) {
        let (mut rows, mut bytes) = (0, 0);
        self.batches.retain(|_, kept| {
            let stays = kept.last >= oldest;
            if !stays {
                rows += kept.batch.num_rows();
                bytes += bytes_of(&kept.batch);
            }
            stays
        });
        self.rows -= rows;
        self.bytes -= bytes;
        self.stale += if self.key.is_some() { rows } else { 0 };
        if self.stale > CLEAN_FROM.max(self.rows) || self.rows == 0 {
            let batches = &self.batches;
            self.index.retain(|_, places| {
                places.retain(|place| batches.contains_key(&place.batch));
                !places.is_empty()
            });
            self.stale = 0;
        }
    }

    pub(crate) fn size(&self) -> usize {
        let entry = size_of::<u64>() + size_of::<Vec<RowLocation>>();
        self.bytes + (self.rows + self.stale) * size_of::<RowLocation>() + self.index.len() * entry
    }
}

/// Rows with the watermark before each as a last column.
fn with_before(rows: &RecordBatch, before: ArrayRef) -> Result<RecordBatch> {
    let schema = rows.schema();
    let mut fields: Vec<_> = schema.fields().iter().map(Arc::clone).collect();
    fields.push(Arc::new(Field::new(BEFORE, DataType::Int64, false)));
    let columns = rows.columns().iter().map(Arc::clone).chain([before]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
