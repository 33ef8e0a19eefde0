//! Writes one sink: makes and encodes its rows, hands them to the connector, and flushes when the connector asks.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;

use super::edge::{BarrierAck, InputEdges, Received};
use crate::connectors::{Sink, SinkRow};
use crate::exec::error::RunError;
use crate::exec::rows::expressions::RowEvaluator;
use crate::exec::rows::failures::Failures;
use crate::exec::stats::Stats;
use crate::formats::json::{EncodeOptions, JsonEncoder};
use crate::program::{Format, RowExpressions, TableInfo};

/// A sink that runs.
pub(crate) struct SinkTask {
    pub(crate) index: usize,
    /// What is written, by input: several statements may write to one sink.
    pub(crate) written: Vec<SinkStatement>,
    pub(crate) inputs: InputEdges,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) encoder: RowEncoder,
    pub(crate) stats: Arc<Stats>,
}

/// What one statement writes.
#[derive(Debug, Clone)]
pub(crate) struct SinkStatement {
    pub(crate) rows: RowExpressions,
    /// The rule that it is counted for.
    pub(crate) rule: Option<usize>,
}

impl SinkTask {
    /// Writes until an input has gone, then flushes.
    pub(crate) async fn run(mut self) -> Result<(), RunError> {
        loop {
            let due = self.sink.flush_due_in();
            let received = tokio::select! {
                biased;
                received = self.inputs.next() => received,
                () = tokio::time::sleep(due.unwrap_or(Duration::MAX)), if due.is_some() => {
                    self.sink.flush().await?;
                    continue;
                }
            };
            match received {
                Some(Received::Batch { batches, .. }) => {
                    for (nth, batches) in batches.iter().enumerate() {
                        let Some(of) = self.written.get(nth).filter(|_| !batches.is_empty()).cloned() else { continue };
                        for traced in batches {
                            let failures = Failures::of_rule(&self.stats, of.rule);
                            let batch = RowEvaluator(&of.rows).apply_to_rows(&traced.batch, &failures);
                            let rows = self.encoded(&batch, &failures);
                            self.stats.count_rule(of.rule, rows.len());
                            self.write(rows).await?;
                        }
                    }
                }
                Some(Received::Barrier(acks)) => {
                    self.sink.flush().await?;
                    // Nobody listens any more when the run is at its end.
                    let _ = acks.send(BarrierAck::Flushed);
                }
                None => return Ok(self.sink.flush().await?),
            }
        }
    }

    /// The rows as they are written; those that cannot be are left out and counted.
    fn encoded(&self, batch: &RecordBatch, failures: &Failures) -> Vec<SinkRow> {
        if batch.num_rows() == 0 {
            return Vec::new();
        }
        let mut encode = |rows: Range<usize>| self.encoder.encode(&batch.slice(rows.start, rows.len()));
        failures.over(0..batch.num_rows(), &mut encode).into_iter().flatten().collect()
    }

    async fn write(&mut self, rows: Vec<SinkRow>) -> Result<(), RunError> {
        if rows.is_empty() {
            return Ok(());
        }
        if let Some(counters) = self.stats.sinks.get(self.index) {
            counters.rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
            counters.bytes.fetch_add(rows.iter().map(|r| r.payload.len() as u64).sum(), Ordering::Relaxed);
        }
        Ok(self.sink.write(rows).await?)
    }
}

/// Encodes rows in the table's format.
pub(crate) struct RowEncoder {
    schema: SchemaRef,
    json: Option<JsonEncoder>,
    /// The column that keeps rows of one key in order.
    key: Option<usize>,
}

impl RowEncoder {
    pub(crate) fn new(table: &TableInfo) -> Self {
        let schema = Arc::clone(&table.schema);
        let json = match &table.format {
            Some(Format::RawString | Format::RawBytes | Format::Declared(_)) => None,
            Some(Format::Json { timestamps, .. }) => {
                Some(JsonEncoder::new(&schema, EncodeOptions { timestamp_format: *timestamps }))
            }
            None => Some(JsonEncoder::new(&schema, EncodeOptions::default())),
        };
        let key = schema.index_of("key").ok().filter(|i| *schema.field(*i).data_type() == DataType::Utf8);
        Self { schema, json, key }
    }

    fn encode(&self, batch: &RecordBatch) -> Result<Vec<SinkRow>, RunError> {
        // The columns are the table's by position; their declared extensions decide how they are written.
        let batch = RecordBatch::try_new(nullable(&self.schema), batch.columns().to_vec())?;
        let payloads = match &self.json {
            Some(encoder) => encoder.encode(&batch).map_err(|e| RunError::Encode(e.to_string()))?,
            None => raw(&batch),
        };
        let keys = self.key.and_then(|k| batch.column(k).as_string_opt::<i32>().cloned());
        let key = |row: usize| keys.as_ref().filter(|k| k.is_valid(row)).map(|k| k.value(row).to_owned());
        Ok(payloads.into_iter().enumerate().map(|(row, payload)| SinkRow { payload, key: key(row) }).collect())
    }
}

/// Declared `NOT NULL` does not bind what queries compute.
fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<_> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    arrow::datatypes::Schema::new(fields).into()
}

fn raw(batch: &RecordBatch) -> Vec<Bytes> {
    let Some(column) = batch.columns().first() else { return Vec::new() };
    let text = |row: usize| column.as_string_opt::<i32>().map(|a| Bytes::copy_from_slice(a.value(row).as_bytes()));
    let bytes = |row: usize| column.as_binary_opt::<i32>().map(|a| Bytes::copy_from_slice(a.value(row)));
    (0..column.len())
        .map(
            |row| if column.is_null(row) { Bytes::new() } else { text(row).or_else(|| bytes(row)).unwrap_or_default() },
        )
        .collect()
}
