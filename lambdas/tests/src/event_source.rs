//! An event source mapping on one shard of a Kinesis stream, as AWS documents it. Each rule names its clause:
//!
//! - \[params\] <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html>
//! - \[partial\] <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>
//! - \[failure\] <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>
//! - \[polling\] <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Lambda's limit of a synchronous invocation's payload. \[polling\]: a batch ends early when it would pass it.
const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// Settings of the mapping, by the names of \[params\].
#[derive(Debug, Clone)]
pub struct Settings {
    /// `BatchSize`, at most 10,000.
    pub batch_size: usize,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `MaximumRetryAttempts`; `None` is -1, without end.
    pub max_retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`; `None` is -1, without end.
    pub max_age_seconds: Option<f64>,
    /// `FunctionResponseTypes` holds `ReportBatchItemFailures`.
    pub report_failures: bool,
}

/// One record of the shard.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its place.
    pub sequence_number: String,
    /// Its bytes.
    pub data: Vec<u8>,
    /// When the stream took it, seconds since the epoch.
    pub arrival: f64,
}

/// What an invocation came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The function answered.
    Answered(Value),
    /// An error, a timeout or a death.
    Failed,
}

/// Records that are to be delivered together, and how often that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The first record's index.
    pub from: usize,
    /// The index after the last one's.
    pub to: usize,
    /// Attempts that failed.
    pub attempts: u32,
}

/// Records that were given up: what the on-failure destination is told. \[failure\]: metadata only, "you must poll the
/// stream" for the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded {
    /// The first record's index.
    pub from: usize,
    /// The index after the last one's.
    pub to: usize,
    /// `RetryAttemptsExhausted` or `RecordAgeExceeded`.
    pub condition: &'static str,
}

/// The mapping's work on one shard. What it leaves out: the batching window (it decides when, not what), `ParallelizationFactor`
/// (several batches of a shard at once: the laws interleave invocations instead), filters, and windows of state.
pub struct EventSource {
    settings: Settings,
    records: Vec<Record>,
    /// Batches to deliver next, the next one last: what a bisection or a partial failure left.
    open: Vec<Batch>,
    position: usize,
    /// What was given up.
    pub discarded: Vec<Discarded>,
}

impl EventSource {
    /// A mapping that reads these records from the start (`TRIM_HORIZON`).
    #[must_use]
    pub fn new(settings: Settings, records: Vec<Record>) -> Self {
        Self { settings, records, open: Vec::new(), position: 0, discarded: Vec::new() }
    }

    /// The batch that is delivered next at `now`; `None` when the shard is drained. Order within a shard is kept: nothing
    /// later is delivered before this is done. \[polling\]
    pub fn next(&mut self, now: f64) -> Option<Batch> {
        loop {
            let batch = match self.open.pop() {
                Some(batch) => batch,
                None => self.read()?,
            };
            // [params] MaximumRecordAgeInSeconds: "the maximum age of a record that Lambda sends to a function".
            let expired = |record: &Record| self.settings.max_age_seconds.is_some_and(|age| now - record.arrival > age);
            let old =
                self.records.get(batch.from..batch.to).unwrap_or_default().iter().take_while(|r| expired(r)).count();
            if old == 0 {
                return Some(batch);
            }
            self.discard(batch.from, batch.from + old, "RecordAgeExceeded");
            if batch.from + old < batch.to {
                self.open.push(Batch { from: batch.from + old, ..batch });
            }
        }
    }

    /// The event that the function gets for a batch.
    #[must_use]
    pub fn event(&self, batch: &Batch) -> Value {
        let records = self.records.get(batch.from..batch.to).unwrap_or_default();
        json!({"Records": records.iter().map(event_record).collect::<Vec<_>>()})
    }

    /// Takes what an invocation came to.
    pub fn done(&mut self, batch: Batch, outcome: &Outcome) {
        match self.first_failed(&batch, outcome) {
            None => {}
            Some(failed) if failed > batch.from => self.failed_from(failed, batch),
            Some(_) => self.failed_whole(batch),
        }
    }

    /// \[partial\]: "Lambda uses the lowest sequence number as the checkpoint, and then retries all records starting from that
    /// checkpoint"; with bisection on as well, "the batch is bisected at the returned sequence number and Lambda retries only
    /// the remaining records". Whether progress starts the count of retries anew is not documented: the worse is taken. A
    /// bisection costs none of it (\[failure\]), a retry without one does.
    fn failed_from(&mut self, failed: usize, batch: Batch) {
        let rest = Batch { from: failed, ..batch };
        if self.settings.bisect {
            self.open.push(rest);
        } else {
            self.retry(rest);
        }
    }

    /// \[params\] BisectBatchOnFunctionError, MaximumRetryAttempts. \[failure\]: "Splitting batches doesn't consume the retry
    /// quota".
    fn failed_whole(&mut self, batch: Batch) {
        let Batch { from, to, attempts } = batch;
        if self.settings.bisect && to - from > 1 {
            let middle = from + (to - from) / 2;
            self.open.push(Batch { from: middle, to, attempts });
            self.open.push(Batch { from, to: middle, attempts });
        } else {
            self.retry(Batch { from, to, attempts });
        }
    }

    /// \[params\] MaximumRetryAttempts: "the maximum number of times to retry when the function returns an error".
    fn retry(&mut self, batch: Batch) {
        if self.settings.max_retries.is_some_and(|most| batch.attempts >= most) {
            self.discard(batch.from, batch.to, "RetryAttemptsExhausted");
        } else {
            self.open.push(Batch { attempts: batch.attempts + 1, ..batch });
        }
    }

    /// \[partial\]: the index of the first record to retry, `None` when all succeeded. "Lambda treats a batch as a complete
    /// success if you return": an empty or null `batchItemFailures`, an empty or null response. "… as a complete failure if
    /// you return": an empty or null `itemIdentifier`, one with a bad key name. Without `ReportBatchItemFailures` only
    /// errors count.
    fn first_failed(&self, batch: &Batch, outcome: &Outcome) -> Option<usize> {
        let Outcome::Answered(answer) = outcome else {
            return Some(batch.from);
        };
        if !self.settings.report_failures {
            return None;
        }
        let failures = answer.get("batchItemFailures")?.as_array()?;
        let index_of = |failure: &Value| {
            let id = failure.get("itemIdentifier")?.as_str()?;
            let records = self.records.get(batch.from..batch.to)?;
            records.iter().position(|record| record.sequence_number == id).map(|at| batch.from + at)
        };
        failures.iter().map(|failure| index_of(failure).unwrap_or(batch.from)).min()
    }

    fn read(&mut self) -> Option<Batch> {
        let from = self.position;
        let mut bytes = 0;
        let fits = |record: &&Record| {
            bytes += record.data.len().div_ceil(3) * 4 + 600;
            bytes <= MAX_PAYLOAD_BYTES
        };
        let rest = self.records.get(from..).unwrap_or_default();
        let count = rest.iter().take(self.settings.batch_size).take_while(fits).count().max(1);
        if rest.is_empty() {
            return None;
        }
        self.position = from + count;
        Some(Batch { from, to: from + count, attempts: 0 })
    }

    fn discard(&mut self, from: usize, to: usize, condition: &'static str) {
        self.discarded.push(Discarded { from, to, condition });
    }
}

/// The shape of \[polling\]'s example event.
fn event_record(record: &Record) -> Value {
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "1",
            "sequenceNumber": record.sequence_number,
            "data": STANDARD.encode(&record.data),
            "approximateArrivalTimestamp": record.arrival,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000006:{}", record.sequence_number),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/weir-anomalies",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { batch_size: 8, bisect: true, max_retries: Some(2), max_age_seconds: None, report_failures: true }
    }

    fn source(settings: Settings, count: usize) -> EventSource {
        let record =
            |n: usize| Record { sequence_number: format!("{n:056}"), data: n.to_string().into_bytes(), arrival: 0.0 };
        EventSource::new(settings, (0..count).map(record).collect())
    }

    /// Drives a mapping with a function of the records' indexes; returns what was delivered, in order.
    fn drive(source: &mut EventSource, function: impl Fn(std::ops::Range<usize>) -> Outcome) -> Vec<(usize, usize)> {
        let mut delivered = Vec::new();
        while let Some(batch) = source.next(100.0) {
            delivered.push((batch.from, batch.to));
            assert!(delivered.len() < 1000, "it never ends: {delivered:?}");
            let outcome = function(batch.from..batch.to);
            source.done(batch, &outcome);
        }
        delivered
    }

    fn fail(indexes: &[usize]) -> Outcome {
        let failures: Vec<_> = indexes.iter().map(|n| json!({"itemIdentifier": format!("{n:056}")})).collect();
        Outcome::Answered(json!({"batchItemFailures": failures}))
    }

    #[test]
    fn a_success_is_an_empty_answer_in_any_form() {
        for answer in [json!({"batchItemFailures": []}), json!({}), json!(null), json!({"batchItemFailures": null})] {
            let mut source = source(settings(), 10);
            assert_eq!(drive(&mut source, |_| Outcome::Answered(answer.clone())), [(0, 8), (8, 10)]);
        }
    }

    #[test]
    fn a_partial_failure_retries_from_the_lowest_number() {
        let mut source = source(settings(), 8);
        let seen = std::cell::Cell::new(0);
        let delivered = drive(&mut source, |_| {
            seen.set(seen.get() + 1);
            if seen.get() == 1 { fail(&[5, 3]) } else { fail(&[]) }
        });
        assert_eq!(delivered, [(0, 8), (3, 8)]);
    }

    /// One record that never succeeds, behind others: with bisection it is isolated first and alone is given up.
    #[test]
    fn progress_does_not_start_the_count_of_retries_anew() {
        let mut source = source(Settings { bisect: false, ..settings() }, 4);
        let delivered = drive(&mut source, |range| fail(&[range.start.max(2)]));
        assert_eq!(delivered, [(0, 4), (2, 4), (2, 4)], "two retries and no more");
        assert_eq!(source.discarded, [Discarded { from: 2, to: 4, condition: "RetryAttemptsExhausted" }]);
    }

    #[test]
    fn a_record_that_never_succeeds_costs_only_itself() {
        let mut source = source(settings(), 8);
        drive(&mut source, |range| if range.contains(&2) { fail(&[2]) } else { fail(&[]) });
        assert_eq!(source.discarded, [Discarded { from: 2, to: 3, condition: "RetryAttemptsExhausted" }]);
    }

    /// \[partial\] names them: what makes the whole batch fail.
    #[test]
    fn a_broken_answer_is_a_complete_failure() {
        for answer in [
            json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
            json!({"batchItemFailures": [{"itemIdentifier": null}]}),
            json!({"batchItemFailures": [{"wrong": "0"}]}),
            json!({"batchItemFailures": [{"itemIdentifier": "not in the batch"}]}),
        ] {
            let mut source = source(Settings { bisect: false, max_retries: Some(0), ..settings() }, 4);
            assert_eq!(drive(&mut source, |_| Outcome::Answered(answer.clone())), [(0, 4)]);
            assert_eq!(source.discarded.len(), 1, "{answer}");
        }
    }

    #[test]
    fn bisection_finds_the_one_record_and_gives_up_only_that() {
        let mut source = source(settings(), 8);
        drive(&mut source, |range| if range.contains(&5) { Outcome::Failed } else { fail(&[]) });
        assert_eq!(source.discarded, [Discarded { from: 5, to: 6, condition: "RetryAttemptsExhausted" }]);
    }

    #[test]
    fn records_past_their_age_are_given_up() {
        let mut source = source(Settings { max_age_seconds: Some(60.0), ..settings() }, 3);
        assert_eq!(drive(&mut source, |_| fail(&[])), []);
        assert_eq!(source.discarded, [Discarded { from: 0, to: 3, condition: "RecordAgeExceeded" }]);
    }

    #[test]
    fn without_reporting_only_errors_count() {
        let mut source = source(Settings { report_failures: false, ..settings() }, 2);
        assert_eq!(drive(&mut source, |_| fail(&[0])), [(0, 2)]);
    }
}
