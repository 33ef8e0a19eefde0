//! An inner join of un-windowed streams: both sides' rows are kept for a while, and each new row meets those of the other
//! side that have its key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, TimestampNanosecondArray};
use arrow::compute::kernels::cmp::gt_eq;
use arrow::compute::{concat_batches, filter_record_batch, interleave_record_batch};
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;
use hashbrown::DefaultHashBuilder;

use super::evaluate::evaluate;
use super::join_keys::{JoinKey, keys_of};
use super::rows::bytes_of;
use crate::program::{JoinSpec, NodeId};

/// Rows of a batch that comes back from a checkpoint: a batch is forgotten as a whole.
const RESTORED_ROWS: usize = 8192;
/// The index is cleaned when so many of its entries, and more than are in use, belong to rows that are gone.
const CLEAN_FROM: usize = 8192;

/// The kept rows of both sides.
#[derive(Debug)]
pub(super) struct JoinOperator {
    plan: Arc<dyn ExecutionPlan>,
    sides: [Side; 2],
    ttl: i64,
    /// Rows before this are no longer met.
    oldest: i64,
    schema: SchemaRef,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Side {
    node: NodeId,
    time: usize,
    /// `None` where the plan does not tell: then every kept row is handed to it.
    key: Option<JoinKey>,
    /// By number, in the order in which they came.
    batches: BTreeMap<u64, Kept>,
    next: u64,
    /// Where rows of a key are, by the key's hash. The plan compares the keys themselves.
    index: HashMap<u64, Vec<Place>>,
    rows: usize,
    /// Entries of the index whose rows are gone.
    stale: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    batch: RecordBatch,
    first: i64,
    last: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    batch: u64,
    row: u32,
}

impl JoinOperator {
    pub(super) fn new(spec: &JoinSpec, left_time: usize, right_time: usize, schema: &SchemaRef) -> Result<Self> {
        let mut keys = keys_of(&spec.plan)?;
        let mut side = |node, time| Side {
            node,
            time,
            key: keys.remove(&node),
            batches: BTreeMap::new(),
            next: 0,
            index: HashMap::new(),
            rows: 0,
            stale: 0,
            bytes: 0,
        };
        Ok(Self {
            plan: Arc::clone(&spec.plan),
            sides: [side(spec.left, left_time), side(spec.right, right_time)],
            ttl: spec.ttl,
            oldest: i64::MIN,
            schema: Arc::clone(schema),
            hasher: DefaultHashBuilder::default(),
        })
    }

    pub(super) fn push(&mut self, input: NodeId, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let [left, right] = &mut self.sides;
        let (own, other) = if input == left.node { (left, right) } else { (right, left) };
        let hashes = own.hashes(batch, &self.hasher)?;
        own.keep(batch.clone(), hashes.as_deref());
        let met = match &hashes {
            Some(hashes) => other.of_keys(hashes, self.oldest)?,
            None => other.all(self.oldest)?,
        };
        if met.is_empty() {
            return Ok(Vec::new());
        }
        let joined = evaluate(&self.plan, &[(own.node, vec![batch.clone()]), (other.node, met)])?;
        joined
            .into_iter()
            .filter(|b| b.num_rows() > 0)
            .map(|b| Ok(RecordBatch::try_new(Arc::clone(&self.schema), b.columns().to_vec())?))
            .collect()
    }

    /// Forgets rows that are older than the watermark by more than the time to live.
    pub(super) fn advance(&mut self, watermark: i64) {
        self.oldest = watermark.saturating_sub(self.ttl);
        for side in &mut self.sides {
            side.forget_before(self.oldest);
        }
    }

    pub(super) fn size(&self) -> usize {
        self.sides.iter().map(Side::size).sum()
    }

    pub(super) fn snapshot(&self) -> Result<Vec<(String, RecordBatch)>> {
        let mut tables = Vec::new();
        for (nth, side) in self.sides.iter().enumerate() {
            let rows = side.all(self.oldest)?;
            if let Some(first) = rows.first() {
                tables.push((format!("side-{nth}"), concat_batches(&first.schema(), &rows)?));
            }
        }
        Ok(tables)
    }

    pub(super) fn restore(&mut self, tables: Vec<(String, RecordBatch)>) -> Result<()> {
        for (name, batch) in tables {
            let nth = name.strip_prefix("side-").and_then(|n| n.parse::<usize>().ok());
            let Some(side) = nth.and_then(|n| self.sides.get_mut(n)) else { continue };
            for start in (0..batch.num_rows()).step_by(RESTORED_ROWS) {
                let part = batch.slice(start, RESTORED_ROWS.min(batch.num_rows() - start));
                let hashes = side.hashes(&part, &self.hasher)?;
                side.keep(part, hashes.as_deref());
            }
        }
        Ok(())
    }
}

impl Side {
    fn hashes(&self, batch: &RecordBatch, hasher: &DefaultHashBuilder) -> Result<Option<Vec<u64>>> {
        let Some(key) = &self.key else { return Ok(None) };
        let rows = key.encode(batch)?;
        Ok(Some(rows.iter().map(|row| hasher.hash_one(row.as_ref())).collect()))
    }

    fn keep(&mut self, batch: RecordBatch, hashes: Option<&[u64]>) {
        let times = batch.column(self.time).as_primitive::<TimestampNanosecondType>();
        let (Some(first), Some(last)) = (arrow::compute::min(times), arrow::compute::max(times)) else { return };
        for (row, hash) in (0u32..).zip(hashes.unwrap_or_default()) {
            self.index.entry(*hash).or_default().push(Place { batch: self.next, row });
        }
        self.rows += batch.num_rows();
        self.bytes += bytes_of(&batch);
        self.batches.insert(self.next, Kept { batch, first, last });
        self.next += 1;
    }

    /// Kept rows that have one of these keys, in the order in which they came.
    fn of_keys(&self, hashes: &[u64], oldest: i64) -> Result<Vec<RecordBatch>> {
        let distinct: BTreeSet<u64> = hashes.iter().copied().collect();
        let mut places: Vec<Place> = distinct.iter().filter_map(|h| self.index.get(h)).flatten().copied().collect();
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
            return Ok(Vec::new());
        }
        Ok(vec![interleave_record_batch(&batches, &picked)?])
    }

    fn is_young(&self, kept: &Kept, row: u32, oldest: i64) -> bool {
        let times = kept.batch.column(self.time).as_primitive::<TimestampNanosecondType>();
        times.values().get(row as usize).is_some_and(|time| *time >= oldest)
    }

    /// All kept rows.
    fn all(&self, oldest: i64) -> Result<Vec<RecordBatch>> {
        let young = |kept: &Kept| {
            if kept.first >= oldest {
                return Ok(kept.batch.clone());
            }
            let times = kept.batch.column(self.time).as_primitive::<TimestampNanosecondType>();
            let young = gt_eq(times, &TimestampNanosecondArray::new_scalar(oldest))?;
            Ok(filter_record_batch(&kept.batch, &young)?)
        };
        self.batches.values().map(young).collect()
    }

    fn forget_before(&mut self, oldest: i64) {
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

    fn size(&self) -> usize {
        let entry = size_of::<u64>() + size_of::<Vec<Place>>();
        self.bytes + (self.rows + self.stale) * size_of::<Place>() + self.index.len() * entry
    }
}
