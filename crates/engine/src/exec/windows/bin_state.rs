//! The state of a tumbling or hopping window operator in checkpoints: a table for each bin, for any partitions that it was
//! spread over.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema};
use datafusion::common::{Result, internal_err};

use super::bins::BinOperator;
use super::key_partition::KeyPartition;
use super::partition_order::{joined, order};
use crate::exec::aggregates::accumulate::PartialStates;
use crate::exec::aggregates::keys::RowSelection;

impl BinOperator {
    /// The state as tables, which do not tell how many partitions there are.
    pub(crate) fn snapshot(&mut self) -> Result<Vec<(String, RecordBatch)>> {
        let mut tables = Vec::new();
        let Some(first) = self.partitions.first() else { return Ok(tables) };
        let open: Vec<i64> = first.open.keys().copied().collect();
        let closed: Vec<i64> = first.closed.numbers().collect();
        let next_end = first.closed.next_end();
        for number in open {
            let (mut columns, mut firsts, mut rows) = (Vec::new(), Vec::new(), 0);
            for partition in &mut self.partitions {
                let Some((partial, first)) = partition.state_of_open(number)? else { continue };
                columns.push(partial.columns(&mut partition.keys)?);
                firsts.push(first);
                rows += partial.numbers.len();
            }
            tables.push((format!("open-{}", self.grid.start(number)), table(columns, &firsts, rows)?));
        }
        for number in closed {
            let (mut columns, mut firsts, mut rows) = (Vec::new(), Vec::new(), 0);
            for partition in &mut self.partitions {
                let Some(partial) = partition.closed.bin(number) else { continue };
                columns.push(partial.columns(&mut partition.keys)?);
                firsts.push(partial.firsts());
                rows += partial.numbers.len();
            }
            tables.push((format!("closed-{}", self.grid.start(number)), table(columns, &firsts, rows)?));
        }
        tables.push((format!("progress-{}-{next_end}", self.watermark), table(Vec::new(), &[], 0)?));
        Ok(tables)
    }

    pub(crate) fn restore(&mut self, tables: Vec<(String, RecordBatch)>) -> Result<()> {
        for (name, batch) in tables {
            // A bin is written down as its start.
            let grid = self.grid;
            let number = |prefix: &str| Some(grid.number(name.strip_prefix(prefix)?.parse().ok()?));
            if let Some(number) = number("open-") {
                self.rows = self.rows.max(batch.num_rows() as u64);
                let partials = self.partials(&batch)?;
                for (partition, partial) in self.partitions.iter_mut().zip(partials) {
                    partition.reopen(number, &partial)?;
                }
            } else if let Some(number) = number("closed-") {
                let partials = self.partials(&batch)?;
                for (partition, partial) in self.partitions.iter_mut().zip(partials) {
                    partition.closed.insert(number, partial);
                }
            } else if let Some((watermark, next_end)) = name.strip_prefix("progress-").and_then(two_numbers) {
                self.watermark = watermark;
                self.partitions.iter_mut().for_each(|partition| partition.closed.set_next_end(next_end));
            } else {
                return internal_err!("unknown state {name}");
            }
        }
        Ok(())
    }

    /// A bin's states from a table, each partition's own.
    fn partials(&mut self, batch: &RecordBatch) -> Result<Vec<PartialStates>> {
        let rows = batch.num_rows();
        let Some((keys, states)) = batch.columns().split_at_checked(self.spec.keys.len()) else {
            return internal_err!("the state of a window has {} columns", batch.num_columns());
        };
        let keys = self.encoder.encode(keys)?;
        let spec = &self.spec;
        if let [partition] = self.partitions.as_mut_slice() {
            let partial = PartialStates::new(spec, partition.number(&keys, rows, RowSelection::All), states.to_vec())?;
            return Ok(vec![partial]);
        }
        let mut by_partition = vec![Vec::new(); self.partitions.len()];
        for (row, partition) in (0u32..).zip(keys.partitions(by_partition.len())) {
            by_partition.get_mut(partition).into_iter().for_each(|rows: &mut Vec<u32>| rows.push(row));
        }
        let part = |(partition, own): (&mut KeyPartition, Vec<u32>)| {
            let numbers = partition.number(&keys, rows, RowSelection::Some(&own));
            let picked = UInt32Array::from(own.clone());
            let states = states.iter().map(|s| Ok(take(s, &picked, None)?)).collect::<Result<_>>()?;
            let mut partial = PartialStates::new(spec, numbers, states)?;
            partial.set_order(own, rows);
            Ok(partial)
        };
        self.partitions.iter_mut().zip(by_partition).map(part).collect()
    }
}

/// What the partitions hold of a bin as one table, in the order of all partitions.
fn table(partitions: Vec<Vec<ArrayRef>>, firsts: &[Vec<u64>], rows: usize) -> Result<RecordBatch> {
    let firsts: Vec<&[u64]> = firsts.iter().map(Vec::as_slice).collect();
    let columns = joined(partitions, || order(&firsts))?;
    let field = |(nth, column): (usize, &ArrayRef)| Field::new(format!("c{nth}"), column.data_type().clone(), true);
    let fields: Vec<Field> = columns.iter().enumerate().map(field).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Schema::new(fields).into(), columns, &options)?)
}

/// `a-b` with either negative.
fn two_numbers(text: &str) -> Option<(i64, i128)> {
    let split = text.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(i, _)| i)?;
    let (first, second) = text.split_at_checked(split)?;
    Some((first.parse().ok()?, second.strip_prefix('-')?.parse().ok()?))
}
