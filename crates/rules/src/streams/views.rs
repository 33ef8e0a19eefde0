//! What is made of a stream's records on both engines: the typed view, its metrics as `events`, and the ways out for poison and
//! probes.

use std::fmt::Write as _;

use super::{StreamFile, clock, kinesis_stream, region};
use crate::{Environment, TimeMode, template::quote};

/// Digits of base64 in one part of a poison record: what fits into a quarantine message.
const PART: usize = 200_000;

/// The views of a stream, over `NAME_decoded`; those of its metrics where they are read.
pub(super) fn of(stream: &StreamFile, environment: &Environment, events: bool, activity: bool) -> String {
    let declaration = &stream.declaration;
    let name = &declaration.name;
    let fields: Vec<String> = declaration.columns().iter().map(|column| format!("\"{}\"", column.name)).collect();
    // What the record says of its time, unless the stream has a field of that name.
    let own_time = declaration.columns().iter().all(|column| column.name != "timestamp");
    let timestamp = if own_time { "weir_time AS timestamp, " } else { "" };
    let mut sql = format!(
        "CREATE VIEW {name} AS\nSELECT event_time, {timestamp}{fields}\nFROM {name}_decoded\nWHERE weir_kind = 'event';\n",
        fields = fields.join(", ")
    );
    if events {
        let _ = write!(
            sql,
            "\n-- Its metrics, in the shape of the view `events`.\nCREATE VIEW {name}_events AS\nSELECT\n  event_time, timestamp, value, source, metric, \
             concat(source, '/', metric) AS series,\n  CAST(NULL AS TEXT) AS id, CAST(NULL AS TEXT) AS tags, CAST(NULL AS TEXT) AS event\n\
             FROM {metrics}\nWHERE value IS NOT NULL;\n",
            metrics = metrics(stream, "weir_kind = 'event'"),
        );
    }
    if activity {
        let _ = write!(
            sql,
            "\n-- The same, with the heartbeat as rows without a source.\nCREATE VIEW {name}_activity AS\nSELECT\n  event_time, value,\n  \
             CASE WHEN weir_kind = 'event' THEN source END AS source,\n  CASE WHEN weir_kind = 'event' THEN metric END AS metric,\n  \
             CASE WHEN weir_kind = 'event' THEN concat(source, '/', metric) END AS series\n\
             FROM {metrics}\nWHERE value IS NOT NULL OR (weir_kind = 'heartbeat' AND metric = {first});\n",
            metrics = metrics(stream, "weir_kind IN ('event', 'heartbeat')"),
            first = quote(declaration.metrics.first().map_or("", String::as_str)),
        );
    }
    sql.push_str(&poison(stream, environment));
    if declaration.heartbeat {
        sql.push_str(&probe(name));
    }
    sql
}

/// A row for each metric of a row.
fn metrics(stream: &StreamFile, condition: &str) -> String {
    let declaration = &stream.declaration;
    let name = &declaration.name;
    let source = match &declaration.key {
        Some(key) => format!("coalesce(CAST(\"{key}\" AS TEXT), 'unknown')"),
        None => quote(name),
    };
    let mut value = "CASE weir_metric".to_owned();
    let mut columns: Vec<String> = Vec::new();
    for metric in &declaration.metrics {
        let _ = write!(value, " WHEN {} THEN CAST(\"{metric}\" AS DOUBLE)", quote(metric));
        let column = format!("\"{metric}\"");
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    value.push_str(" END");
    let names: Vec<String> = declaration.metrics.iter().map(|metric| quote(metric)).collect();
    // One row stays one row; `unnest` would only cost.
    let metric = match names.as_slice() {
        [only] => only.clone(),
        names => format!("unnest(make_array({}))", names.join(", ")),
    };
    format!(
        "(\n  SELECT event_time, weir_kind, weir_time AS timestamp, weir_source AS source, weir_metric AS metric, {value} AS value\n  \
         FROM (\n    SELECT event_time, weir_kind, weir_time, {source} AS weir_source, {columns}, {metric} AS weir_metric\n    \
         FROM {name}_decoded\n    WHERE {condition}\n  ) AS wide\n) AS metrics",
        columns = columns.join(", ")
    )
}

/// What is refused, on its way to quarantine.
fn poison(stream: &StreamFile, environment: &Environment) -> String {
    let name = &stream.declaration.name;
    let arrival = match clock(&stream.declaration, environment) {
        TimeMode::Arrival => "event_time",
        TimeMode::Event => "CAST(NULL AS TIMESTAMP)",
    };
    format!(
        "
CREATE VIEW {name}_no_events AS
SELECT weir_kind AS reason, weir_error AS error, encode(weir_raw, 'base64') AS raw, {arrival} AS arrival_time
FROM {name}_decoded
WHERE weir_kind NOT IN ('event', 'heartbeat', 'probe', 'ignored');

-- rule weir_poison_{name}
INSERT INTO poison
SELECT
  'poison' AS record_type, record_id, {stream} AS stream, reason, error, substr(raw, (part - 1) * {PART} + 1, {PART}) AS raw,
  part, parts, arrival_time
FROM (
  SELECT record_id, reason, error, raw, parts, arrival_time, unnest(generate_series(1, parts)) AS part
  FROM (
    SELECT
      left(encode(sha256(raw), 'hex'), 32) AS record_id, reason, error, raw, arrival_time,
      greatest(CAST((octet_length(raw) + {less}) / {PART} AS BIGINT), 1) AS parts
    FROM {name}_no_events
  ) AS measured
) AS cut;
",
        stream = quote(&kinesis_stream(stream, environment)),
        less = PART - 1,
    )
}

/// The heartbeat's probe passes through the whole path as an anomaly that alerts nobody.
fn probe(name: &str) -> String {
    format!(
        "
-- rule weir_probe_{name}
INSERT INTO anomalies
SELECT
  left(encode(sha256(concat('weir_probe|10:weir_probe|e|0|', probe_id)), 'hex'), 32) AS id,
  'weir_probe' AS rule,
  '000000000000' AS rule_version,
  'info' AS severity,
  'weir_probe' AS key,
  event_time AS timestamp,
  CAST(NULL AS TIMESTAMP) AS window_start,
  CAST(NULL AS TIMESTAMP) AS window_end,
  CAST(NULL AS DOUBLE) AS value,
  CAST(NULL AS DOUBLE) AS expected,
  0.0 AS score,
  concat('{{\"probe_id\":\"', probe_id, '\",\"sent_at\":\"', sent_at, '\"}}') AS details,
  '{{\"stage\":\"shadow\"}}' AS rule_meta
FROM (
  SELECT
    event_time,
    regexp_replace(coalesce(weir_probe_id, ''), '[^0-9A-Za-z:._-]', '', 'g') AS probe_id,
    regexp_replace(coalesce(weir_sent_at, ''), '[^0-9A-Za-z:._-]', '', 'g') AS sent_at
  FROM {name}_decoded
  WHERE weir_kind = 'probe'
) AS probes;
"
    )
}

/// The way out for what is refused, where `tables.sql` has none.
pub(super) fn poison_table(environment: &Environment) -> String {
    let values = environment.table_values();
    let value = |name: &str| values.get(name).map_or("", String::as_str);
    format!(
        "
CREATE TABLE poison (
  record_type TEXT,
  record_id TEXT,
  stream TEXT,
  reason TEXT,
  error TEXT,
  raw TEXT,
  part BIGINT,
  parts BIGINT,
  arrival_time TIMESTAMP
) WITH (
  connector = 'kinesis', type = 'sink', stream_name = '{}',{}
  'sink.flush_interval_millis' = '0', format = 'json'
);",
        value("anomalies_stream"),
        region(environment),
    )
}
