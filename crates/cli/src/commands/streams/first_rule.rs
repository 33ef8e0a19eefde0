//! A first rule on a stream, with its tests: the mean of a metric above what is usual, or too many records.

use std::collections::{BTreeMap, BTreeSet};

use weir_stream::{Column, Declaration, Decoder, FieldType, Record, Row, Rows, SampleRecord, Value};

/// A rule's files' texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirstRule {
    /// Its name.
    pub(crate) name: String,
    pub(crate) rule: String,
    pub(crate) tests: String,
    /// What its section of the runbook says.
    pub(crate) runbook: String,
}

/// How many readings of a series a window has, about.
const READINGS: i64 = 6;
/// Windows that a person would write, in seconds.
const WINDOWS: [(i64, &str); 7] = [
    (60, "1 minute"),
    (300, "5 minutes"),
    (600, "10 minutes"),
    (1800, "30 minutes"),
    (3600, "1 hour"),
    (21_600, "6 hours"),
    (86_400, "1 day"),
];
/// So many usual deviations above the median are too much.
const DEVIATIONS: f64 = 6.0;
/// The standard deviation of a normal distribution, in median absolute deviations.
const MAD_TO_SIGMA: f64 = 1.4826;

/// The rule that a stream's own records suggest.
pub(crate) fn first_rule(stream: &Declaration, rows: &[Row]) -> FirstRule {
    let columns = stream.columns();
    let key = stream.key.as_deref().and_then(|key| columns.iter().position(|column| column.name == key));
    // That which strays farthest: it has something to be found.
    let metric = stream
        .metrics
        .iter()
        .filter_map(|metric| {
            let at = columns.iter().position(|column| column.name == *metric)?;
            let usual = Usual::of(rows.iter().filter_map(|row| row.values.get(at)))?;
            Some((columns.get(at)?, usual))
        })
        .max_by(|(_, a), (_, b)| a.strays.total_cmp(&b.strays));
    let window = window(rows, key);
    let key = key.and_then(|at| columns.get(at));
    match metric {
        Some((column, usual)) => mean(&stream.name, key, column, &usual, window),
        None => count(stream, key, window),
    }
}

/// What a metric usually is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Usual {
    median: f64,
    limit: f64,
    /// How far the largest value lies above the median, in steps to the limit.
    strays: f64,
}

impl Usual {
    /// `None` of a metric that does not move: nothing can be said of it.
    fn of<'a>(values: impl Iterator<Item = &'a Value>) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "a limit that a person will look at")]
        let number = |value: &Value| match value {
            Value::Double(number) => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            _ => None,
        };
        let mut numbers: Vec<f64> = values.filter_map(number).collect();
        let median = median(&mut numbers)?;
        let mut distances: Vec<f64> = numbers.iter().map(|number| (number - median).abs()).collect();
        let spread = self::median(&mut distances)?;
        if numbers.first() == numbers.last() {
            return None;
        }
        let step = (spread * MAD_TO_SIGMA * DEVIATIONS).max(median.abs() * 0.2);
        let step = if step > 0.0 { step } else { 1.0 };
        let strays = numbers.last().map_or(0.0, |largest| (largest - median) / step);
        Some(Self { median: rounded(median), limit: rounded(median + step), strays })
    }
}

fn median(numbers: &mut [f64]) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

/// Three digits are enough for a limit that a person will look at.
fn rounded(number: f64) -> f64 {
    format!("{number:.2e}").parse().unwrap_or(number)
}

/// A window that holds some readings of a series.
fn window(rows: &[Row], key: Option<usize>) -> &'static str {
    let series: BTreeSet<String> = rows.iter().filter_map(|row| Some(format!("{:?}", row.values.get(key?)?))).collect();
    let times: Vec<i64> = rows.iter().filter_map(|row| row.time).collect();
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else { return "5 minutes" };
    let seconds = last.saturating_sub(*first) / 1_000_000_000;
    let each = i64::try_from(times.len() / series.len().max(1)).unwrap_or(i64::MAX).max(1);
    let wanted = seconds.saturating_mul(READINGS) / each;
    WINDOWS.iter().find(|(length, _)| *length >= wanted).map_or("1 day", |(_, name)| name)
}

fn header(name: &str, description: &str, window: &str, limit: &str, kind: &str, what: &str) -> String {
    format!(
        "-- name = \"{name}\"\n-- severity = \"warning\"\n-- description = \"{description}\"\n-- owner = \"team\"\n-- runbook = \"docs/runbooks.md#{name}\"\n-- tags = []\n-- dedup = \"1 hour\"\n--\n-- [parameters.window]\n-- type = \"interval\"\n-- default = \"{window}\"\n--\n-- [parameters.most]\n-- type = \"{kind}\"\n-- default = {limit}\n-- description = \"{what}\"\n\n-- Windows that follow one another: GROUP BY the key and the window, then filter outside. One row is one anomaly.\n"
    )
}

/// The key in the rule's parts: what is selected, and what is grouped by.
fn key_parts(key: Option<&Column>) -> (String, String) {
    let Some(column) = key else { return ("'all'".to_owned(), String::new()) };
    let name = in_sql(&column.name);
    let selected = if column.kind == FieldType::Text { name.clone() } else { format!("CAST({name} AS TEXT)") };
    (selected, format!("{name}, "))
}

/// Words that SQL may read as something else than a column.
const WORDS: [&str; 40] = [
    "all",
    "and",
    "as",
    "asc",
    "by",
    "case",
    "cast",
    "check",
    "column",
    "current_user",
    "date",
    "default",
    "desc",
    "distinct",
    "end",
    "from",
    "group",
    "having",
    "in",
    "interval",
    "is",
    "join",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "select",
    "session_user",
    "start",
    "table",
    "time",
    "timestamp",
    "to",
    "union",
    "user",
    "where",
    "window",
];

/// A column's name as SQL reads it.
fn in_sql(name: &str) -> String {
    if WORDS.contains(&name) { format!("\"{name}\"") } else { name.to_owned() }
}

/// The key in a test's series, and in what is expected.
fn key_in_test(key: Option<&Column>) -> (String, &'static str) {
    match key {
        None => (String::new(), "all"),
        Some(column) if column.kind == FieldType::Integer => (format!("{} = 1, ", column.name), "1"),
        Some(column) => (format!("{} = \"one\", ", column.name), "one"),
    }
}

fn mean(stream: &str, key: Option<&Column>, metric: &Column, usual: &Usual, window: &str) -> FirstRule {
    let (column, name) = (&metric.name, format!("high_{}", metric.name));
    let whole = metric.kind == FieldType::Integer;
    let number = |number: f64| if whole { format!("{:.0}", number.round()) } else { format!("{number:?}") };
    let (selected, grouped) = key_parts(key);
    let what = "a mean above it is an anomaly; what the sample suggests";
    let description = format!("The mean of {column} is above what is usual");
    let rule = format!(
        "{}SELECT\n  key,\n  window,\n  mean AS value,\n  ${{most}} AS expected,\n  0.5 AS score,\n  readings\nFROM (\n  SELECT {selected} AS key, tumble(${{window}}) AS window, avg({metric}) AS mean, count({metric}) AS readings\n  FROM {stream}\n  GROUP BY {grouped}window\n) AS windows\nWHERE mean > ${{most}}\n",
        header(&name, &description, window, &format!("{:?}", usual.limit), "double", what),
        metric = in_sql(column),
    );
    let (series, expected) = key_in_test(key);
    let (low, high) = (number(usual.median), number(usual.limit * 2.0 + 10.0));
    let tests = format!(
        "# Records are made after the stream's sample, a minute apart from 2026-01-01T00:00:00Z: `5x10` is 5 ten times.\nparameters = {{ window = \"10 minutes\", most = {limit:?} }}\n\n[[case]]\nname = \"a window with a high mean fires\"\nseries = [{{ {series}field = \"{column}\", values = \"{low}x10 {high}x10 {low}x10\" }}]\nexpect = [{{ key = \"{expected}\", window_end = \"2026-01-01T00:20:00\" }}]\n\n[[case]]\nname = \"usual readings are fine\"\nseries = [{{ {series}field = \"{column}\", values = \"{low}x30\" }}]\nexpect = []\n",
        limit = usual.limit
    );
    let runbook = format!(
        "The mean of `{column}` in a window is above `most`.\n1. Compare `value` with what the series usually has: is the limit right?\n2. Set it in `sql/environments/ENV.toml` (`[parameters.{name}]`), not in the rule."
    );
    FirstRule { name, rule, tests, runbook }
}

fn count(stream: &Declaration, key: Option<&Column>, window: &str) -> FirstRule {
    let name = format!("many_{}", stream.name);
    let (selected, grouped) = key_parts(key);
    let what = "more records in one window are an anomaly";
    let rule = format!(
        "{}SELECT\n  key,\n  window,\n  CAST(n AS DOUBLE) AS value,\n  CAST(${{most}} AS DOUBLE) AS expected,\n  0.5 AS score\nFROM (\n  SELECT {selected} AS key, tumble(${{window}}) AS window, count(*) AS n\n  FROM {}\n  GROUP BY {grouped}window\n) AS windows\nWHERE n > ${{most}}\n",
        header(&name, "Too many records in a window", window, "100", "integer", what),
        stream.name
    );
    let runbook = format!(
        "More records came in a window than `most`.\n1. Is it a burst of one producer? `weir rows {}` shows what it sends.\n2. If there are more now, raise `most`.",
        stream.name
    );
    FirstRule { name, rule, tests: count_tests(stream, key).unwrap_or_default(), runbook }
}

/// How often the sample comes in the case that fires.
const TIMES: usize = 3;

/// Cases with the stream's own sample, several times and once; `None` without a sample.
fn count_tests(stream: &Declaration, key: Option<&Column>) -> Option<String> {
    let SampleRecord::Text(record) = &stream.samples.first()?.record else { return None };
    let mut rows = Rows::default();
    Decoder::new(stream).decode(Record::new(record.as_bytes()), &mut rows);
    let at = key.and_then(|key| stream.columns().iter().position(|column| column.name == key.name));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows.rows() {
        let key = match at.and_then(|at| row.values.get(at)) {
            Some(Value::Text(text)) => text.clone(),
            Some(value) => value.to_json().to_string(),
            None => "all".to_owned(),
        };
        *counts.entry(key).or_default() += 1;
    }
    let most = counts.values().max().copied()?;
    let literal = |text: &str| serde_json::Value::from(text).to_string();
    let record = literal(record);
    let several = [record.as_str(); TIMES].join(", ");
    let expected: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count * TIMES > most)
        .map(|(key, count)| format!("{{ key = {}, value = {}.0 }}", literal(key), count * TIMES))
        .collect();
    Some(format!(
        "# Records as the stream carries them: the stream's sample.\nparameters = {{ window = \"10 minutes\", most = {most} }}\n\n[[case]]\nname = \"many records at once fire\"\nrecords = [{several}]\nexpect = [{}]\n\n[[case]]\nname = \"one is fine\"\nrecords = [{record}]\nexpect = []\n",
        expected.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use weir_rules::Rule;

    fn made(text: &str, records: &[String]) -> FirstRule {
        let stream = Declaration::parse("climate.toml".as_ref(), text).unwrap();
        let mut decoder = Decoder::new(&stream);
        let mut rows = Rows::default();
        for record in records {
            decoder.decode(Record::new(record.as_bytes()), &mut rows);
        }
        first_rule(&stream, &rows.rows().cloned().collect::<Vec<_>>())
    }

    const CLIMATE: &str = "time = \"at\"\nkey = \"device\"\nmetrics = [\"battery\", \"temperature\"]\n[fields]\ndevice = \"text\"\ntemperature = \"double\"\nbattery = \"integer\"\n";

    #[test]
    fn a_metric_that_moves_gets_a_limit_above_what_is_usual() {
        let records: Vec<String> = (0..60)
            .map(|n| {
                format!(
                    r#"{{"at":"2026-01-01T00:{n:02}:00Z","device":"d-{}","temperature":2{}.5,"battery":100}}"#,
                    n % 3,
                    n % 5
                )
            })
            .collect();
        let made = made(CLIMATE, &records);
        assert_eq!(made.name, "high_temperature", "the battery does not move");
        assert!(
            made.rule.contains("default = \"30 minutes\"")
                && made.rule.contains("FROM climate\n  GROUP BY device, window"),
            "{}",
            made.rule
        );
        assert!(made.rule.contains("-- default = 31.4\n"), "{}", made.rule);
        Rule::parse(Path::new("high_temperature.sql"), &made.rule).unwrap();
    }

    #[test]
    fn without_a_metric_records_are_counted() {
        let made = made("[fields]\nkind = \"text\"\n", &[r#"{"kind":"a"}"#.to_owned()]);
        assert!(made.rule.contains("'all' AS key") && made.rule.contains("GROUP BY window"), "{}", made.rule);
        Rule::parse(Path::new("many_climate.sql"), &made.rule).unwrap();
    }

    #[test]
    fn a_window_holds_some_readings_of_a_series() {
        let rows = |seconds: i64, series: i64| -> Vec<Row> {
            (0..30)
                .map(|n| Row { time: Some(n * seconds * 1_000_000_000), values: vec![Value::Integer(n % series)] })
                .collect()
        };
        assert_eq!(window(&rows(1, 1), Some(0)), "1 minute");
        assert_eq!(window(&rows(60, 1), Some(0)), "10 minutes");
        assert_eq!(window(&rows(60, 6), Some(0)), "1 hour");
        assert_eq!(window(&rows(86_400, 1), None), "1 day");
        assert_eq!(window(&[Row { time: None, values: vec![] }], None), "5 minutes");
    }
}
