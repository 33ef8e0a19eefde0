//! Tumbling and hopping windows: rows are collected in bins of the slide's width; a bin closes when the watermark passes
//! its end, and a window is the merge of its closed bins.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use datafusion::common::{Result, internal_err};

use super::accumulate::{Groups, Partial};
use super::chunk::{Chunk, Late};
use super::emitted::Emitted;
use super::hop::ClosedBins;
use super::keys::{Keys, Picked};
use super::window::floor;
use crate::program::WindowSpec;

/// The state of a tumbling or hopping window operator.
#[derive(Debug)]
pub(super) struct BinOperator {
    spec: WindowSpec,
    keys: Keys,
    /// Width of a bin: the slide, or the width of a tumbling window.
    slide: i64,
    width: i64,
    open: BTreeMap<i64, Groups>,
    closed: ClosedBins,
    /// The watermark up to which windows were emitted.
    watermark: i64,
    /// Room for the numbers of a batch's keys, and for their groups.
    numbers: Vec<u32>,
    groups: Vec<usize>,
}

impl BinOperator {
    pub(super) fn new(spec: &WindowSpec, slide: i64, width: i64) -> Result<Self> {
        Ok(Self {
            keys: spec.key_table()?,
            spec: spec.clone(),
            slide,
            width,
            open: BTreeMap::new(),
            closed: ClosedBins::new(slide, width),
            watermark: i64::MIN,
            numbers: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Takes rows; those whose bin had closed before them are late.
    pub(super) fn push(&mut self, chunk: &Chunk, late: &mut Late) -> Result<()> {
        let batch = self.spec.rows.apply(&chunk.batch)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let (batch, bins) = self.on_time(chunk, batch, late)?;
        let (Some(first), Some(last)) = (bins.iter().min().copied(), bins.iter().max().copied()) else { return Ok(()) };
        let inputs = self.spec.evaluate(&batch)?;
        self.keys.number(&inputs.keys, inputs.rows, &mut self.numbers)?;
        let (numbers, known, groups) = (&self.numbers, self.keys.len(), &mut self.groups);
        if first == last {
            let bin = bin_of(&mut self.open, first, &self.spec)?;
            return bin.update(numbers, known, &inputs, Picked::All, groups);
        }
        let mut by_bin: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, bin) in (0u32..).zip(&bins) {
            by_bin.entry(*bin).or_default().push(row);
        }
        for (bin, rows) in by_bin {
            let bin = bin_of(&mut self.open, bin, &self.spec)?;
            bin.update(numbers, known, &inputs, Picked::Some(&rows), groups)?;
        }
        Ok(())
    }

    /// Drops late rows; the rest with their bins.
    fn on_time(&self, chunk: &Chunk, batch: RecordBatch, late: &mut Late) -> Result<(RecordBatch, Vec<i64>)> {
        let rows = batch.num_rows();
        let times = self.spec.time.evaluate(&batch)?.into_array(rows)?;
        let times = times.as_primitive::<TimestampNanosecondType>();
        let bins: Vec<i64> = times.values().iter().map(|t| floor(*t, self.slide)).collect();
        let judge = chunk.judge(self.watermark);
        if judge.all_on_time() && times.null_count() == 0 {
            return Ok((batch, bins));
        }
        let numbers = self.spec.row.evaluate(&batch)?.into_array(rows)?;
        let numbers = numbers.as_primitive::<arrow::datatypes::UInt32Type>();
        let mut kept = Vec::with_capacity(rows);
        for (row, bin) in bins.iter().enumerate() {
            let number = numbers.value(row);
            let is_late = times.is_null(row) || *bin < floor(judge.watermark_at(number), self.slide);
            if is_late {
                late.add(chunk, number);
            }
            kept.push(!is_late);
        }
        if kept.iter().all(|k| *k) {
            return Ok((batch, bins));
        }
        let bins = bins.into_iter().zip(&kept).filter(|(_, k)| **k).map(|(b, _)| b).collect();
        Ok((arrow::compute::filter_record_batch(&batch, &kept.into())?, bins))
    }

    /// Emits windows that end at or before the watermark: all of them, or as many as make a good deal of rows. Gives the
    /// watermark up to which that is every window.
    pub(super) fn advance(&mut self, watermark: i64) -> Result<(Vec<RecordBatch>, i64)> {
        if watermark <= self.watermark {
            return Ok((Vec::new(), watermark));
        }
        let mut emitted = Emitted::new(self.width);
        self.watermark = self.emit(watermark, &mut emitted)?.max(self.watermark);
        let output = emitted.into_batches(&self.spec, &mut self.keys)?;
        if !output.is_empty() {
            self.collect_keys();
        }
        Ok((output, self.watermark))
    }

    fn emit(&mut self, watermark: i64, emitted: &mut Emitted) -> Result<i64> {
        while let Some(entry) = self.open.first_entry() {
            let start = *entry.key();
            let end = start.saturating_add(self.slide);
            if end > watermark {
                break;
            }
            if self.slide != self.width {
                // Windows that end before this bin does not reach see only what closed earlier.
                if let Some(reached) = self.emit_hops(end.saturating_sub(1), emitted)? {
                    return Ok(reached);
                }
                let Some(groups) = self.open.remove(&start) else { continue };
                self.closed.insert(start, groups.into_partial()?);
                continue;
            }
            let finished = entry.remove().finish()?;
            if !emitted.push(start, finished, &self.spec, &mut self.keys)? {
                return Ok(end);
            }
        }
        if self.slide != self.width
            && let Some(reached) = self.emit_hops(watermark, emitted)?
        {
            return Ok(reached);
        }
        Ok(watermark)
    }

    /// Emits hopping windows while there is room; where that ends too early, how far it came.
    fn emit_hops(&mut self, watermark: i64, emitted: &mut Emitted) -> Result<Option<i64>> {
        while let Some((start, finished)) =
            self.closed.next_window(watermark, &self.spec, self.keys.len(), &mut self.groups)?
        {
            if !emitted.push(start, finished, &self.spec, &mut self.keys)? {
                return Ok(Some(start.saturating_add(self.width)));
            }
        }
        Ok(None)
    }

    /// Forgets keys that no bin holds any more.
    fn collect_keys(&mut self) {
        let held = self.open.values().map(|g| g.numbers().len()).sum::<usize>() + self.closed.held();
        let renumbered = self.keys.collect(held, |mark| {
            self.open.values().for_each(|groups| mark(groups.numbers()));
            self.closed.partials().for_each(|partial| mark(&partial.numbers));
        });
        if let Some(renumbered) = renumbered {
            let known = self.keys.len();
            self.open.values_mut().for_each(|groups| groups.renumber(&renumbered, known));
            self.closed.renumber(&renumbered);
        }
    }

    pub(super) fn size(&self) -> usize {
        self.keys.size() + self.open.values().map(Groups::size).sum::<usize>() + self.closed.size()
    }

    /// The state as tables. Accumulators give their state only by giving it up, so open bins are built anew from it.
    pub(super) fn snapshot(&mut self) -> Result<Vec<(String, RecordBatch)>> {
        let mut tables = Vec::new();
        for (start, groups) in std::mem::take(&mut self.open) {
            let partial = groups.into_partial()?;
            tables.push((format!("open-{start}"), partial.to_batch(&mut self.keys)?));
            self.reopen(start, &partial)?;
        }
        for (start, partial) in self.closed.bins() {
            tables.push((format!("closed-{start}"), partial.to_batch(&mut self.keys)?));
        }
        tables.push((format!("progress-{}-{}", self.watermark, self.closed.next_end()), empty_batch()));
        Ok(tables)
    }

    pub(super) fn restore(&mut self, tables: Vec<(String, RecordBatch)>) -> Result<()> {
        for (name, batch) in tables {
            if let Some(start) = name.strip_prefix("open-").and_then(|s| s.parse().ok()) {
                let partial = Partial::from_batch(&self.spec, &mut self.keys, &batch)?;
                self.reopen(start, &partial)?;
            } else if let Some(start) = name.strip_prefix("closed-").and_then(|s| s.parse().ok()) {
                self.closed.insert(start, Partial::from_batch(&self.spec, &mut self.keys, &batch)?);
            } else if let Some((watermark, next_end)) = name.strip_prefix("progress-").and_then(two_numbers) {
                self.watermark = watermark;
                self.closed.set_next_end(next_end);
            } else {
                return internal_err!("unknown state {name}");
            }
        }
        Ok(())
    }

    fn reopen(&mut self, start: i64, partial: &Partial) -> Result<()> {
        let groups = Groups::merged(&self.spec, [partial], self.keys.len(), &mut self.groups)?;
        self.open.insert(start, groups);
        Ok(())
    }
}

fn bin_of<'a>(open: &'a mut BTreeMap<i64, Groups>, start: i64, spec: &WindowSpec) -> Result<&'a mut Groups> {
    Ok(match open.entry(start) {
        std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::btree_map::Entry::Vacant(entry) => entry.insert(Groups::new(spec)?),
    })
}

/// `a-b` with either negative.
fn two_numbers(text: &str) -> Option<(i64, i64)> {
    let split = text.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(i, _)| i)?;
    let (first, second) = text.split_at_checked(split)?;
    Some((first.parse().ok()?, second.strip_prefix('-')?.parse().ok()?))
}

fn empty_batch() -> RecordBatch {
    RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()))
}
