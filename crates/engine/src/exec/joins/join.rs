//! An inner join of un-windowed streams: both sides' rows are kept for a while, and each new row meets those of the other
//! side that have its key.
//!
//! Two rows meet when neither is older than `updating_ttl` behind the watermark that the other's source had just before the
//! other: which rows meet depends on them alone, not on batches, nor on which of two sources is read first.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, SchemaRef, TimestampNanosecondType, UInt32Type};
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::ExecutionPlan;
use hashbrown::DefaultHashBuilder;

use super::keys::JoinKeyEncoder;
use super::side::JoinSide;
use crate::exec::rows::batch::{LateRowCounter, Provenance, TracedBatch};
use crate::exec::rows::evaluate::evaluate;
use crate::exec::rows::failures::{Failures, attempt};
use crate::exec::rows::over_rows::{NodeBatches, run_over_rows};
use crate::exec::time::before as earlier;
use crate::program::{JoinSpec, NodeId, ROW};

/// The kept rows of both sides.
#[derive(Debug)]
pub(crate) struct JoinOperator {
    /// Its last two columns are the numbers of the left and the right row of a pair.
    plan: Arc<dyn ExecutionPlan>,
    failures: Failures,
    sides: [JoinSide; 2],
    ttl: i64,
    /// Rows before this meet no row that is still to come.
    oldest: i64,
    /// The output, without the numbers.
    schema: SchemaRef,
    hasher: DefaultHashBuilder,
}

/// What is known of the time of one side's rows, by their numbers.
#[derive(Clone, Copy)]
struct Times<'a> {
    own: &'a [i64],
    /// The watermark before each row.
    before: &'a [i64],
}

impl JoinOperator {
    pub(crate) fn new(
        spec: &JoinSpec,
        left: &SchemaRef,
        right: &SchemaRef,
        schema: &SchemaRef,
        failures: Failures,
    ) -> Result<Self> {
        let [left_keys, right_keys] = match &spec.keys {
            Some(keys) => JoinKeyEncoder::of_sides(keys)?.map(Some),
            None => [None, None],
        };
        let sides = [JoinSide::new(spec.left, left, left_keys)?, JoinSide::new(spec.right, right, right_keys)?];
        Ok(Self {
            plan: Arc::clone(&spec.plan),
            failures,
            sides,
            ttl: spec.ttl,
            oldest: i64::MIN,
            schema: Arc::clone(schema),
            hasher: DefaultHashBuilder::default(),
        })
    }

    pub(crate) fn push(
        &mut self,
        input: NodeId,
        traced: &TracedBatch,
        late: &mut LateRowCounter,
    ) -> Result<Vec<TracedBatch>> {
        let [left, right] = &mut self.sides;
        let is_left = input == left.node;
        let (own, other) = if is_left { (left, right) } else { (right, left) };
        let came = own.take(traced, late)?;
        if came.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let hasher = &self.hasher;
        let (came, hashes) = match attempt(|| own.hashes(&came, hasher)) {
            Ok(hashes) => (came, hashes),
            // Rows without a key meet nothing.
            Err(_) => own.hashed(&came, hasher, &self.failures)?,
        };
        own.keep(came.clone(), hashes.as_deref());
        let met = match &hashes {
            Some(hashes) => other.of_keys(hashes, self.oldest)?,
            None => other.all(self.oldest)?,
        };
        let Some(met) = met.filter(|rows| rows.num_rows() > 0) else { return Ok(Vec::new()) };
        let (came, met) = (own.numbered(&came)?, other.numbered(&met)?);
        let inputs: NodeBatches = vec![(own.node, vec![came.clone()]), (other.node, vec![met.clone()])];
        let joined = run_over_rows(&inputs, &self.failures, &mut |inputs| evaluate(&self.plan, inputs));
        let (came, met) = (Times::of(own, &came), Times::of(other, &met));
        let (left, right) = if is_left { (came, met) } else { (met, came) };
        let all_meet = left.all_meet(right, self.ttl) && right.all_meet(left, self.ttl);
        let mut batches = Vec::with_capacity(joined.len());
        for pairs in joined {
            batches.push(self.output(&pairs, left, right, all_meet)?);
        }
        Ok(batches)
    }

    /// The pairs that meet, each judged late from here on by the later of its rows' watermarks.
    fn output(&self, pairs: &RecordBatch, left: Times<'_>, right: Times<'_>, all_meet: bool) -> Result<TracedBatch> {
        let [columns @ .., left_row, right_row] = pairs.columns() else { return internal_err!("a join without rows") };
        let numbers = left_row.as_primitive::<UInt32Type>().values();
        let numbers = numbers.iter().zip(right_row.as_primitive::<UInt32Type>().values());
        let mut before = Vec::with_capacity(pairs.num_rows());
        let mut meet = Vec::with_capacity(if all_meet { 0 } else { pairs.num_rows() });
        for (l, r) in numbers {
            let (l, r) = (left.row(*l), right.row(*r));
            let met = all_meet || (l.0 >= earlier(r.1, self.ttl) && r.0 >= earlier(l.1, self.ttl));
            if met {
                before.push(l.1.max(r.1));
            }
            if !all_meet {
                meet.push(met);
            }
        }
        let mut batch = RecordBatch::try_new(Arc::clone(&self.schema), columns.to_vec())?;
        if before.len() < batch.num_rows() {
            batch = filter_record_batch(&batch, &BooleanArray::from(meet))?;
        }
        // Nobody reads the numbers: nothing that follows looks at time.
        let Ok(row) = self.schema.index_of(ROW) else { return Ok(TracedBatch { batch, provenance: None }) };
        let mut columns = batch.columns().to_vec();
        if let (Some(slot), Ok(rows)) = (columns.get_mut(row), u32::try_from(batch.num_rows())) {
            *slot = Arc::new(UInt32Array::from_iter_values(0..rows));
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        Ok(TracedBatch { batch, provenance: Some(Arc::new(Provenance::of_pairs(before))) })
    }

    /// Forgets rows that are older than the watermark by more than the time to live: rows that still come have a watermark
    /// that is no lower.
    pub(crate) fn advance(&mut self, watermark: i64) {
        self.oldest = earlier(watermark, self.ttl);
        for side in &mut self.sides {
            side.forget_before(self.oldest);
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.sides.iter().map(JoinSide::size).sum()
    }

    pub(crate) fn snapshot(&self) -> Result<Vec<(String, RecordBatch)>> {
        let mut tables = Vec::new();
        for (nth, side) in self.sides.iter().enumerate() {
            if let Some(rows) = side.all(self.oldest)? {
                tables.push((format!("side-{nth}"), rows));
            }
        }
        Ok(tables)
    }

    pub(crate) fn restore(&mut self, tables: Vec<(String, RecordBatch)>) -> Result<()> {
        for (name, rows) in tables {
            let nth = name.strip_prefix("side-").and_then(|n| n.parse::<usize>().ok());
            let Some(side) = nth.and_then(|n| self.sides.get_mut(n)) else { continue };
            side.restore(&rows, &self.hasher)?;
        }
        Ok(())
    }
}

impl<'a> Times<'a> {
    fn of(side: &JoinSide, rows: &'a RecordBatch) -> Self {
        Self {
            own: rows.column(side.time).as_primitive::<TimestampNanosecondType>().values(),
            before: rows.column(side.before()).as_primitive::<Int64Type>().values(),
        }
    }

    /// Whether no row of the other side is too old for any of these.
    fn all_meet(self, other: Self, ttl: i64) -> bool {
        let newest = self.before.iter().max().copied().unwrap_or(i64::MIN);
        other.own.iter().all(|time| *time >= earlier(newest, ttl))
    }

    /// A row's time and the watermark before it.
    fn row(self, number: u32) -> (i64, i64) {
        let at = |times: &[i64]| times.get(number as usize).copied().unwrap_or(i64::MIN);
        (at(self.own), at(self.before))
    }
}
