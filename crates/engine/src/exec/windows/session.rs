//! Session windows: rows of a key that follow each other within less than the gap.
//!
//! Rows are kept until their session closes, because a late row may join two sessions into one. Which rows make a session
//! does not depend on the order in which they come: two neighbours belong together if they are less than the gap apart.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampNanosecondArray};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Field, Schema, TimestampNanosecondType, UInt32Type};
use arrow::row::RowConverter;
use datafusion::common::{Result, internal_err};

use super::window_column::window_array;
use crate::exec::aggregates::accumulate::Accumulators;
use crate::exec::aggregates::arguments::{AggregateArguments, EvaluatedBatch, WindowEvaluator};
use crate::exec::aggregates::keys::RowSelection;
use crate::exec::rows::batch::{LateRowCounter, TracedBatch};
use crate::exec::rows::expressions::RowEvaluator;
use crate::exec::rows::expressions::bytes_of;
use crate::exec::rows::failures::Failures;
use crate::exec::time::{after, are_closer, before};
use crate::program::WindowSpec;

/// The state of a session window operator.
#[derive(Debug)]
pub(crate) struct SessionOperator {
    spec: WindowSpec,
    failures: Failures,
    /// Encodes key columns; `None` where there are none.
    encoder: Option<RowConverter>,
    gap: i64,
    keys: HashMap<Box<[u8]>, Vec<Session>>,
    /// Keys, arguments and filters of the rows, batch by batch.
    rows: Vec<RecordBatch>,
    /// Their bytes, and how many rows they hold.
    bytes: usize,
    stored: usize,
    /// Rows in open sessions.
    live: usize,
    /// No session ends before this.
    next_end: i64,
    watermark: i64,
}

#[derive(Debug)]
struct Session {
    first: i64,
    last: i64,
    /// In the order in which aggregates see them.
    rows: Vec<RowLocation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RowLocation {
    time: i64,
    batch: u32,
    row: u32,
}

impl SessionOperator {
    pub(crate) fn new(spec: &WindowSpec, gap: i64, failures: Failures) -> Result<Self> {
        Ok(Self {
            encoder: WindowEvaluator(spec).key_converter()?,
            spec: spec.clone(),
            failures,
            gap,
            keys: HashMap::new(),
            rows: Vec::new(),
            bytes: 0,
            stored: 0,
            live: 0,
            next_end: i64::MAX,
            watermark: i64::MIN,
        })
    }

    /// Takes rows; those behind the watermark are late.
    pub(crate) fn push(&mut self, traced: &TracedBatch, late: &mut LateRowCounter) -> Result<()> {
        let batch = RowEvaluator(&self.spec.rows).apply_to_rows(&traced.batch, &self.failures);
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let times = self.spec.time.evaluate(&batch)?.into_array(rows)?;
        let times = times.as_primitive::<TimestampNanosecondType>();
        let numbers = self.spec.row.evaluate(&batch)?.into_array(rows)?;
        let numbers = numbers.as_primitive::<UInt32Type>();
        let lateness = traced.lateness(self.watermark);
        let (inputs, computed) = WindowEvaluator(&self.spec).evaluate_rows(&batch, &self.failures)?;
        let mut kept = Vec::with_capacity(rows);
        for row in 0..rows {
            let number = numbers.value(row);
            let is_late = times.is_null(row) || times.value(row) < lateness.watermark_at(number);
            if is_late {
                late.add(traced, number);
            }
            if computed.as_ref().is_none_or(|computed| computed.value(row)) {
                kept.push((!is_late).then(|| times.value(row)));
            }
        }
        self.add(&inputs, &kept)
    }

    fn add(&mut self, inputs: &EvaluatedBatch, times: &[Option<i64>]) -> Result<()> {
        let encoded = self.encoder.as_ref().map(|e| e.convert_columns(&inputs.keys)).transpose()?;
        let batch = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let rows = stored(inputs)?;
        self.bytes += bytes_of(&rows);
        self.stored += rows.num_rows();
        self.rows.push(rows);
        for (row, time) in (0u32..).zip(times) {
            let Some(time) = *time else { continue };
            let key = encoded.as_ref().map_or(&[][..], |e| e.row(row as usize).data());
            let place = RowLocation { time, batch, row };
            self.live += 1;
            self.next_end = self.next_end.min(after(time, self.gap));
            match self.keys.get_mut(key) {
                Some(sessions) => join_session(sessions, place, self.gap),
                None => {
                    self.keys.insert(key.into(), vec![Session { first: time, last: time, rows: vec![place] }]);
                }
            }
        }
        Ok(())
    }

    /// Emits every session that ended before the watermark.
    pub(crate) fn advance(&mut self, watermark: i64) -> Result<Vec<RecordBatch>> {
        if watermark <= self.watermark {
            return Ok(Vec::new());
        }
        self.watermark = watermark;
        let is_over = |end: i64| end < watermark || watermark == i64::MAX;
        if !is_over(self.next_end) {
            return Ok(Vec::new());
        }
        let (gap, mut closed, mut next_end) = (self.gap, Vec::new(), i64::MAX);
        self.keys.retain(|_, sessions| {
            sessions.retain_mut(|session| {
                let end = after(session.last, gap);
                if is_over(end) {
                    closed.push((end, session.first, std::mem::take(&mut session.rows)));
                    return false;
                }
                next_end = next_end.min(end);
                true
            });
            !sessions.is_empty()
        });
        self.next_end = next_end;
        closed.sort_unstable();
        self.live -= closed.iter().map(|(_, _, rows)| rows.len()).sum::<usize>();
        let mut close = |sessions: Range<usize>| self.close(closed.get(sessions).unwrap_or_default());
        let output = self.failures.over(0..closed.len(), &mut close);
        self.compact()?;
        Ok(output.into_iter().flatten().collect())
    }

    /// The results of sessions that are over.
    fn close(&self, closed: &[(i64, i64, Vec<RowLocation>)]) -> Result<Option<RecordBatch>> {
        if closed.is_empty() {
            return Ok(None);
        }
        let (mut picked, mut sessions) = (Vec::new(), Vec::new());
        let (mut starts, mut ends) = (Vec::with_capacity(closed.len()), Vec::with_capacity(closed.len()));
        for (nth, (end, first, rows)) in closed.iter().enumerate() {
            sessions.extend(std::iter::repeat_n(nth, rows.len()));
            picked.extend(rows.iter().map(|p| (p.batch as usize, p.row as usize)));
            starts.push(*first);
            ends.push(*end);
        }
        let inputs = self.unstored(&gather(&self.rows, picked)?)?;
        // Every session is a group of its own, also where one key has several.
        let mut accumulators = Accumulators::new(&self.spec)?;
        accumulators.update(&inputs, RowSelection::All, &sessions, starts.len())?;
        let values = accumulators.finish()?;
        let firsts: arrow::array::UInt32Array = first_rows(&sessions);
        let keys =
            inputs.keys.iter().map(|k| Ok(arrow::compute::take(k, &firsts, None)?)).collect::<Result<Vec<_>>>()?;
        let times: ArrayRef = Arc::new(TimestampNanosecondArray::from_iter_values(ends.iter().map(|e| before(*e, 1))));
        let window = window_array(starts, ends)?;
        Ok(Some(WindowEvaluator(&self.spec).output(keys, window, values, times)?))
    }

    /// Drops stored rows whose sessions are closed, when they are the greater part.
    fn compact(&mut self) -> Result<()> {
        if self.stored < 2 * self.live + 8192 && self.live > 0 || self.stored == 0 {
            return Ok(());
        }
        if self.live == 0 {
            self.rows.clear();
            (self.bytes, self.stored) = (0, 0);
            return Ok(());
        }
        let mut places: Vec<&mut RowLocation> =
            self.keys.values_mut().flatten().flat_map(|s| s.rows.iter_mut()).collect();
        places.sort_unstable_by_key(|p| (p.batch, p.row));
        let picked: Vec<(usize, usize)> = places.iter().map(|p| (p.batch as usize, p.row as usize)).collect();
        for (row, place) in (0u32..).zip(places) {
            *place = RowLocation { time: place.time, batch: 0, row };
        }
        let batches: Vec<&RecordBatch> = self.rows.iter().collect();
        let rows = interleave_record_batch(&batches, &picked)?;
        (self.bytes, self.stored) = (bytes_of(&rows), rows.num_rows());
        self.rows = vec![rows];
        Ok(())
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes + self.live * size_of::<RowLocation>() + self.keys.len() * size_of::<Session>()
    }

    /// The rows of open sessions with their times.
    pub(crate) fn snapshot(&self) -> Result<Vec<(String, RecordBatch)>> {
        let mut places: Vec<RowLocation> = self.keys.values().flatten().flat_map(|s| s.rows.iter().copied()).collect();
        places.sort_unstable_by_key(|p| (p.batch, p.row));
        let progress = (format!("progress-{}", self.watermark), RecordBatch::new_empty(Arc::new(Schema::empty())));
        if places.is_empty() {
            return Ok(vec![progress]);
        }
        let batches: Vec<&RecordBatch> = self.rows.iter().collect();
        let picked: Vec<(usize, usize)> = places.iter().map(|p| (p.batch as usize, p.row as usize)).collect();
        let rows = interleave_record_batch(&batches, &picked)?;
        let times: ArrayRef = Arc::new(TimestampNanosecondArray::from_iter_values(places.iter().map(|p| p.time)));
        Ok(vec![("rows".to_owned(), batch_of(rows.columns().iter().cloned().chain([times]).collect())?), progress])
    }

    pub(crate) fn restore(&mut self, tables: Vec<(String, RecordBatch)>) -> Result<()> {
        for (name, batch) in tables {
            if let Some(watermark) = name.strip_prefix("progress-").and_then(|w| w.parse().ok()) {
                self.watermark = watermark;
                continue;
            }
            let Some((times, columns)) = batch.columns().split_last() else {
                return internal_err!("a session without time");
            };
            let times: Vec<Option<i64>> = times.as_primitive::<TimestampNanosecondType>().iter().collect();
            let inputs = self.unstored(&batch_of(columns.to_vec())?)?;
            self.add(&inputs, &times)?;
        }
        Ok(())
    }

    fn unstored(&self, batch: &RecordBatch) -> Result<EvaluatedBatch> {
        let mut columns = batch.columns().iter().cloned();
        let keys = columns.by_ref().take(self.spec.keys.len()).collect();
        let mut arguments = Vec::with_capacity(self.spec.aggregates.len());
        for aggregate in &self.spec.aggregates {
            let values = columns.by_ref().take(aggregate.argument_count()).collect();
            let filter =
                if aggregate.has_filter() { columns.next().and_then(|c| c.as_boolean_opt().cloned()) } else { None };
            arguments.push(AggregateArguments { values, filter });
        }
        // The row numbers close the batch: it has rows even where it has neither keys nor arguments.
        Ok(EvaluatedBatch { rows: batch.num_rows(), keys, arguments })
    }
}

/// Puts a row into the session that it belongs to, joining those that it bridges: at most two, one before it and one after.
/// Rows stay in the order in which Arroyo feeds them to its aggregates: as they came, but those of a session that is joined
/// to an earlier one behind the row that joined them.
fn join_session(sessions: &mut Vec<Session>, place: RowLocation, gap: i64) {
    let time = place.time;
    let touches = |s: &Session| {
        (time <= s.last || are_closer(time, s.last, gap)) && (time >= s.first || are_closer(time, s.first, gap))
    };
    let home = (0..sessions.len()).filter(|i| sessions.get(*i).is_some_and(touches));
    let Some(home) = home.min_by_key(|i| sessions.get(*i).map(|s| s.first)) else {
        sessions.push(Session { first: time, last: time, rows: vec![place] });
        return;
    };
    let Some(session) = sessions.get_mut(home) else { return };
    session.first = session.first.min(time);
    session.last = session.last.max(time);
    session.rows.push(place);
    let bridged = |i: &usize| *i != home && sessions.get(*i).is_some_and(touches);
    if let Some(other) = (0..sessions.len()).find(bridged) {
        let other = sessions.remove(other);
        if let Some(session) = sessions.iter_mut().find(|s| s.first <= time && time <= s.last) {
            session.first = session.first.min(other.first);
            session.last = session.last.max(other.last);
            session.rows.extend(other.rows);
        }
    }
}

/// The picked rows, by batch and row. Only the batches that they are in are looked at: few rows may close among many.
fn gather(batches: &[RecordBatch], mut picked: Vec<(usize, usize)>) -> Result<RecordBatch> {
    let mut used: Vec<usize> = picked.iter().map(|(batch, _)| *batch).collect();
    used.sort_unstable();
    used.dedup();
    for (batch, _) in &mut picked {
        *batch = used.binary_search(batch).unwrap_or_default();
    }
    let batches: Vec<&RecordBatch> = used.iter().filter_map(|batch| batches.get(*batch)).collect();
    Ok(interleave_record_batch(&batches, &picked)?)
}

/// Keys, arguments, filters and a row number as one batch.
fn stored(inputs: &EvaluatedBatch) -> Result<RecordBatch> {
    let mut columns = inputs.keys.clone();
    for argument in &inputs.arguments {
        columns.extend(argument.values.iter().cloned());
        columns.extend(argument.filter.iter().map(|f| Arc::new(f.clone()) as ArrayRef));
    }
    columns.push(Arc::new(arrow::array::UInt8Array::from(vec![0u8; inputs.rows])));
    batch_of(columns)
}

fn batch_of(columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let fields: Vec<Field> =
        columns.iter().enumerate().map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true)).collect();
    Ok(RecordBatch::try_new(Schema::new(fields).into(), columns)?)
}

fn first_rows(sessions: &[usize]) -> arrow::array::UInt32Array {
    let mut firsts = Vec::new();
    let mut previous = None;
    for (row, session) in (0u32..).zip(sessions) {
        if previous != Some(session) {
            firsts.push(row);
            previous = Some(session);
        }
    }
    firsts.into()
}
