//! Raw records of a declared stream: what each gives is read by the decoder that the engine decodes them with.

use anyhow::{Result, bail};
use weir_anomaly::Timestamp;
use weir_stream::{Control, Declaration, Decoder, Poison, Record, RowSink};

/// The metric of a stream that names none: its rows are counted.
const ROWS: &str = "rows";
/// The source of rows whose key is NULL, as the view has it.
const NO_KEY: &str = "unknown";

/// What a raw record is in history.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Read {
    /// Its readings, one a metric of each row.
    pub(crate) readings: Vec<Reading>,
    /// Why it, or records inside it, were refused.
    pub(crate) refused: Vec<Poison>,
    /// Control records of Weir's own.
    pub(crate) control: usize,
    /// The rows that `ignore` left out.
    pub(crate) ignored: u64,
}

/// One reading of a raw record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    pub(crate) time: Timestamp,
    pub(crate) source: String,
    pub(crate) metric: String,
    pub(crate) value: f64,
}

/// Reads records of one stream.
#[derive(Debug)]
pub(crate) struct Reader {
    decoder: Decoder,
    sink: Sink,
    /// Files keep no arrival: what goes by it arrives so far apart, nanoseconds.
    every: Option<i64>,
    /// When the next such record arrives.
    next: i64,
}

/// When records without arrival begin to arrive: 2026-01-01.
const BEGIN: i64 = 1_767_225_600_000_000_000;

#[derive(Debug, Default)]
struct Sink {
    /// The column that names the source; `None`: all rows are of the stream.
    key: Option<usize>,
    name: String,
    /// Columns and their names.
    metrics: Vec<(usize, String)>,
    source: Option<String>,
    values: Vec<(usize, f64)>,
    without_time: bool,
    read: Read,
}

impl Reader {
    /// A reader; records that go by arrival and have none arrive `every` so many nanoseconds.
    pub(crate) fn new(declaration: &Declaration, every: Option<i64>) -> Self {
        let decoder = Decoder::new(declaration);
        let place = |name: &String| decoder.columns().iter().position(|column| column.name == *name);
        let metrics = declaration.metrics.iter().filter_map(|metric| Some((place(metric)?, metric.clone()))).collect();
        let key = declaration.key.as_ref().and_then(place);
        let sink = Sink { key, name: declaration.name.clone(), metrics, ..Sink::default() };
        Self { decoder, sink, every, next: BEGIN }
    }

    /// The stream.
    pub(crate) fn stream(&self) -> &Declaration {
        self.decoder.declaration()
    }

    /// What a record gives, and when it arrived: where nobody knows, at the latest of its own times.
    ///
    /// # Errors
    /// When the stream goes by arrival, and nobody knows when the record arrived.
    pub(crate) fn read(&mut self, bytes: &[u8], arrival: Option<i64>) -> Result<(Read, i64)> {
        let arrival = arrival.or_else(|| self.every.map(|_| self.next));
        let tally = self.decoder.decode(Record { bytes, arrival }, &mut self.sink);
        if std::mem::take(&mut self.sink.without_time) {
            bail!(
                "the stream `{}` goes by arrival, which a file does not keep\n  hint: --every 1s lets its records arrive a second apart; kinesis://STREAM knows when they arrived",
                self.stream().name
            );
        }
        self.next = self.next.saturating_add(self.every.unwrap_or(0));
        let mut read = std::mem::take(&mut self.sink.read);
        read.ignored = tally.ignored;
        let latest = read.readings.iter().map(|reading| reading.time.nanos()).max();
        // With a time of its own, a record arrives when it says; a made-up arrival is for those without.
        let own = self.stream().carries_time();
        let at = if own { latest.or(arrival) } else { arrival.or(latest) };
        Ok((read, at.unwrap_or(BEGIN)))
    }
}

impl Sink {
    fn value(&mut self, column: usize, value: f64) {
        if self.metrics.iter().any(|(metric, _)| *metric == column) {
            self.values.push((column, value));
        }
    }

    fn key(&mut self, column: usize, text: impl FnOnce() -> String) {
        if self.key == Some(column) {
            self.source = Some(text());
        }
    }
}

impl RowSink for Sink {
    fn null(&mut self, _: usize) {}

    fn double(&mut self, column: usize, value: f64) {
        self.value(column, value);
    }

    fn integer(&mut self, column: usize, value: i64) {
        #[expect(clippy::cast_precision_loss, reason = "as SQL casts it")]
        self.value(column, value as f64);
        self.key(column, || value.to_string());
    }

    fn boolean(&mut self, column: usize, value: bool) {
        self.key(column, || value.to_string());
    }

    fn timestamp(&mut self, _: usize, _: i64) {}

    fn text(&mut self, column: usize, value: &str) {
        self.key(column, || value.to_owned());
    }

    fn json(&mut self, _: usize, _: &str) {}

    fn end_row(&mut self, time: Option<i64>) {
        let source = match self.key {
            Some(_) => self.source.take().unwrap_or_else(|| NO_KEY.to_owned()),
            None => self.name.clone(),
        };
        let values = std::mem::take(&mut self.values);
        let Some(time) = time.map(Timestamp::from_nanos) else {
            self.without_time = true;
            return;
        };
        if self.metrics.is_empty() {
            self.read.readings.push(Reading { time, source, metric: ROWS.to_owned(), value: 1.0 });
            return;
        }
        let before = self.read.readings.len();
        for (column, metric) in &self.metrics {
            if let Some((_, value)) = values.iter().find(|(of, _)| of == column) {
                let reading = Reading { time, source: source.clone(), metric: metric.clone(), value: *value };
                self.read.readings.push(reading);
            }
        }
        if self.read.readings.len() == before {
            self.read.readings.push(Reading { time, source, metric: ROWS.to_owned(), value: 1.0 });
        }
    }

    fn refused(&mut self, _: &[u8], poison: Poison) {
        self.read.refused.push(poison);
    }

    fn control(&mut self, _: Control) {
        self.read.control += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &str, every: Option<i64>) -> Reader {
        Reader::new(&Declaration::parse("s.toml".as_ref(), text).unwrap(), every)
    }

    const WIDE: &str = "time = { path = \"at\", format = \"unix\" }\nkey = \"d\"\nmetrics = [\"x\", \"n\"]\n[fields]\nd = \"integer\"\nx = \"double\"\nn = \"integer\"";

    #[test]
    fn each_metric_of_a_row_is_a_reading() {
        let mut reader = reader(WIDE, None);
        let (read, at) = reader.read(br#"{"at":1767225601,"d":7,"x":1.5,"n":2}"#, None).unwrap();
        let shown: Vec<_> = read.readings.iter().map(|r| (r.source.as_str(), r.metric.as_str(), r.value)).collect();
        assert_eq!((shown, at), (vec![("7", "x", 1.5), ("7", "n", 2.0)], BEGIN + 1_000_000_000));
        let (read, _) = reader.read(br#"{"at":1767225601}"#, None).unwrap();
        assert_eq!((read.readings[0].source.as_str(), read.readings[0].metric.as_str()), ("unknown", "rows"));
        let (read, _) = reader.read(br#"{"at":1767225601,"x":"y"}"#, None).unwrap();
        assert_eq!((read.readings.len(), read.refused[0].reason.to_string()), (0, "bad_field:x".to_owned()));
    }

    #[test]
    fn arrival_is_made_up_only_where_somebody_says_how() {
        let text = "[fields]\nx = \"double\"";
        assert!(reader(text, None).read(br#"{"x":1}"#, None).unwrap_err().to_string().contains("--every"));
        let mut made = reader(text, Some(1_000_000_000));
        let at: Vec<i64> = (0..3).map(|_| made.read(br#"{"x":1}"#, None).unwrap().1 - BEGIN).collect();
        assert_eq!(at, [0, 1_000_000_000, 2_000_000_000]);
        assert_eq!(reader(text, None).read(br#"{"x":1}"#, Some(5)).unwrap().1, 5);
    }
}
