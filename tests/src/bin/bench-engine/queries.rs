//! The queries, in each peer's own dialect and in its own best form.

use std::path::Path;

/// A query of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    /// A filter.
    Q1,
    /// A 10 s tumbling window: count, avg, stddev, min and max per device, with HAVING.
    Q2,
    /// Every 10 s the newest 10 s average of each device against the mean and deviation of its trailing 60 s.
    Q3,
    /// Q2 over `json.unstructured`, with JSON functions in a view.
    Q2Unstructured,
    /// Q2 over the source and the views of `sql/tables.sql` with `decode = "tolerant"`: bytes, every field by JSON functions.
    Q2Tolerant,
    /// The same with `decode = "typed"`: the source parses JSON into columns.
    Q2Typed,
    /// A 1-hour hop at 1-minute steps.
    LongHop,
    /// Every event to standard output.
    All,
}

impl Query {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Q1 => "Q1",
            Self::Q2 => "Q2",
            Self::Q3 => "Q3",
            Self::Q2Unstructured => "Q2 unstructured",
            Self::Q2Tolerant => "Q2 tables.sql tolerant",
            Self::Q2Typed => "Q2 tables.sql typed",
            Self::LongHop => "1 h hop",
            Self::All => "all",
        }
    }
}

const TYPED: &str = "CREATE TABLE events (timestamp TIMESTAMP NOT NULL, value DOUBLE, source TEXT,
  WATERMARK FOR timestamp AS (timestamp - INTERVAL '2 seconds'))
WITH (connector = 'single_file', type = 'source', path = '{in}', format = 'json');\n";

const UNSTRUCTURED: &str = "CREATE TABLE raw (value JSON NOT NULL,
  at TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(TRY_CAST(json_get_str(value, 'timestamp') AS TIMESTAMP), TIMESTAMP '1971-01-01 00:00:00')),
  WATERMARK FOR at AS (coalesce(TRY_CAST(json_get_str(value, 'timestamp') AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds'))
WITH (connector = 'single_file', type = 'source', path = '{in}', format = 'json', 'json.unstructured' = 'true');
CREATE VIEW events AS SELECT at AS timestamp, json_get_float(value, 'value') AS value, json_get_str(value, 'source') AS source FROM raw;\n";

/// The Arroyo SQL of a query; `pack` is the compiled `sql/tables.sql` for the one query that needs it.
pub(crate) fn arroyo(query: Query, input: &Path, output: &Path, pack: &str) -> String {
    let sink = |columns: &str| {
        format!(
            "CREATE TABLE out ({columns}) WITH (connector = 'single_file', type = 'sink', path = '{}', format = 'json');\n",
            output.display()
        )
    };
    let q2 = |table: &str| {
        format!(
            "{}INSERT INTO out SELECT source, w.end, n, mean, deviation, low, high FROM (
  SELECT source, tumble(INTERVAL '10 seconds') AS w, count(*) AS n, avg(value) AS mean, stddev(value) AS deviation,
    min(value) AS low, max(value) AS high
  FROM {table} GROUP BY 1, 2 HAVING count(*) >= 3 AND max(value) - avg(value) > 2 * stddev(value));\n",
            sink("source TEXT, at TIMESTAMP, n BIGINT, mean DOUBLE, deviation DOUBLE, low DOUBLE, high DOUBLE")
        )
    };
    let sql = match query {
        Query::Q1 => format!(
            "{TYPED}{}INSERT INTO out SELECT timestamp, value, source FROM events WHERE value > 75;",
            sink("timestamp TIMESTAMP, value DOUBLE, source TEXT")
        ),
        Query::Q2 => format!("{TYPED}{}", q2("events")),
        Query::Q2Unstructured => format!("{UNSTRUCTURED}{}", q2("events")),
        Query::Q2Tolerant | Query::Q2Typed => format!("{pack}{}", q2("events")),
        Query::Q3 => format!(
            "{TYPED}{}INSERT INTO out SELECT source, w.end, newest, mean, deviation FROM (
  SELECT source, w, avg(m) FILTER (WHERE bucket = w.end - INTERVAL '10 seconds') AS newest, avg(m) AS mean, stddev(m) AS deviation
  FROM (
    SELECT source, date_bin(INTERVAL '10 seconds', timestamp) AS bucket,
      hop(INTERVAL '10 seconds', INTERVAL '60 seconds') AS w, avg(value) AS m
    FROM events GROUP BY 1, 2, 3)
  GROUP BY source, w)
WHERE newest - mean > 1.9 * deviation;",
            sink("source TEXT, at TIMESTAMP, newest DOUBLE, mean DOUBLE, deviation DOUBLE")
        ),
        Query::LongHop => format!(
            "{TYPED}{}INSERT INTO out SELECT source, w.end, n, mean FROM (
  SELECT source, hop(INTERVAL '1 minute', INTERVAL '1 hour') AS w, count(*) AS n, avg(value) AS mean
  FROM events GROUP BY 1, 2 HAVING avg(value) > 75);",
            sink("source TEXT, at TIMESTAMP, n BIGINT, mean DOUBLE")
        ),
        Query::All => format!("{TYPED}SELECT timestamp, value, source FROM events;"),
    };
    sql.replace("{in}", &input.display().to_string())
}

/// The batch query of DuckDB and DataFusion over a table or view `events`; both take the same text.
pub(crate) fn batch(query: Query) -> Option<&'static str> {
    match query {
        Query::Q1 => Some("SELECT timestamp, value, source FROM events WHERE value > 75"),
        Query::Q2 => Some(
            "SELECT source, date_bin(INTERVAL '10 seconds', timestamp) AS at, count(*) AS n, avg(value) AS mean,
  stddev(value) AS deviation, min(value) AS low, max(value) AS high
FROM events GROUP BY 1, 2 HAVING count(*) >= 3 AND max(value) - avg(value) > 2 * stddev(value)",
        ),
        Query::Q3 => Some(
            "WITH buckets AS (
  SELECT source, date_bin(INTERVAL '10 seconds', timestamp) AS bucket, avg(value) AS m FROM events GROUP BY 1, 2),
behind AS (
  SELECT source, bucket, m, avg(m) OVER w AS mean, stddev(m) OVER w AS deviation FROM buckets
  WINDOW w AS (PARTITION BY source ORDER BY bucket RANGE BETWEEN INTERVAL '50 seconds' PRECEDING AND CURRENT ROW))
SELECT source, bucket, m, mean, deviation FROM behind WHERE m - mean > 1.9 * deviation",
        ),
        _ => None,
    }
}
