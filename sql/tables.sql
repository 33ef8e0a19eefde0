-- What every rule shares: the events stream as it comes, the view that rules select from, and the two ways out.
--
-- decode = "tolerant": the source takes bytes, so that no record can wedge or kill the pipeline. What is no event ends in
-- quarantine, byte for byte, and the rules never see it. decode = "typed": the source parses JSON into columns, which costs
-- a small part of the CPU on Arroyo; there a record that does not fit is dropped and counted, and one that is no JSON at all
-- stops the source until the pipeline is restarted. `-- @if` blocks and ${names} are filled from the environment.

-- When an event happened, said here and nowhere else: a number of milliseconds since 1970 or ISO 8601 (docs/contracts.md, "Times").
-- NULL where it is neither, or lies outside the times that a living system has: seconds taken for milliseconds lie before them,
-- microseconds and nanoseconds behind. `least` and `greatest` pass NULL over, and nothing here can fail for a row.
-- @if decode = "tolerant"
-- @define timestamp_text
json_as_text(TRY_CAST(value AS TEXT), 'timestamp')
-- @end
-- @end
-- @if decode = "typed"
-- @define timestamp_text
btrim(timestamp, '"')
-- @end
-- @end
-- @define time_of_event
nullif(nullif(greatest(least(coalesce(
  TRY_CAST(to_timestamp_micros(TRY_CAST(round(TRY_CAST(${timestamp_text} AS DOUBLE) * 1000.0) AS BIGINT)) AS TIMESTAMP),
  TRY_CAST(${timestamp_text} AS TIMESTAMP)
), ${end_of_times}), ${before_times}), ${end_of_times}), ${before_times})
-- @end

-- Of an event whose time lies beyond its arrival by more than this, the embedded engine learns nothing of how far time has come.
-- Arroyo cannot tell: there an event from the future moves time, with time = "event".
-- weir: future_limit = ${future_limit}
CREATE TABLE events_raw (
-- @if decode = "tolerant"
-- @if time = "arrival"
  value BYTEA NOT NULL
-- @end
-- @if time = "event"
  value BYTEA NOT NULL,
  -- No time is the epoch here, which no event has: late for every window, and for Arroyo no news that would move the watermark.
  -- In the watermark it is in the far future, so that the least of a batch, which Arroyo takes, passes it over.
  event_time TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(${time_of_event}, ${no_time})),
  WATERMARK FOR event_time AS (coalesce(${time_of_event}, ${end_of_times}) - ${watermark_delay})
-- @end
) WITH (
  connector = 'kinesis', type = 'source', stream_name = '${events_stream}', ${aws_region}
  'source.offset' = '${source_offset}', format = 'raw_bytes'
);
-- @end
-- @if decode = "typed"
  -- JSON keeps the text of a value of any kind: times are text or numbers, and so are ids.
  timestamp JSON,
  value DOUBLE,
  source TEXT,
  metric TEXT,
  id JSON,
  tags JSON,
  weir TEXT,
  probe_id TEXT,
-- @if time = "arrival"
  sent_at TEXT
-- @end
-- @if time = "event"
  sent_at TEXT,
  -- As above.
  event_time TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(${time_of_event}, ${no_time})),
  WATERMARK FOR event_time AS (coalesce(${time_of_event}, ${end_of_times}) - ${watermark_delay})
-- @end
) WITH (
  connector = 'kinesis', type = 'source', stream_name = '${events_stream}', ${aws_region}
  'source.offset' = '${source_offset}', format = 'json', bad_data = 'drop'
);
-- @end

-- Every record, its fields taken apart; a field that cannot be read is NULL. `kind` says what the record is: `event`, a control
-- record of Weir's own (`heartbeat`, `probe`), or why it is none of them. Each record is exactly one, and the embedded engine
-- counts them by it.
-- weir: count = kind
CREATE VIEW decoded AS
-- @if decode = "tolerant"
SELECT
  *,
  -- One JSON object: nothing before, nothing behind, no name twice. The strict reader keeps one of two fields of a name, the quick
  -- one counts both. Control records have exactly the fields that Weir's heartbeat writes: a field `weir` alone makes none.
  CASE
    WHEN event IS NULL THEN 'not_utf8'
    WHEN names IS NULL OR strict_names IS NULL THEN
      CASE
        WHEN get_first_json_object(event, '$') IS NOT NULL AND NOT regexp_like(event, '^\s*\{') THEN 'not_an_object'
        WHEN names IS NOT NULL AND regexp_like(event, '\}\s*\{') THEN 'several_values'
        ELSE 'not_json'
      END
    WHEN names <> strict_names THEN 'repeated_field'
    WHEN weir = 'heartbeat' AND (names = 1 OR (names = 2 AND json_contains(event, 'timestamp'))) THEN 'heartbeat'
    WHEN weir = 'probe' AND json_contains(event, 'probe_id') AND json_contains(event, 'sent_at')
      AND (names = 3 OR (names = 4 AND json_contains(event, 'timestamp'))) THEN 'probe'
    WHEN timestamp IS NULL THEN CASE WHEN regexp_like(event, '^\s*\[') THEN 'not_an_object' ELSE 'bad_timestamp' END
    WHEN value IS NULL OR isnan(value) OR NOT abs(value) < 1.7976931348623157e308 THEN 'bad_value'
    ELSE 'event'
  END AS kind
FROM (
  SELECT
    row_time() AS event_time,
    raw,
    event,
-- @if time = "arrival"
    timestamp,
-- @end
-- @if time = "event"
    nullif(row_time(), ${no_time}) AS timestamp,
-- @end
    -- Minus zero is zero: SQL holds −0.0 < 0.0 for true.
    TRY_CAST(json_as_text(event, 'value') AS DOUBLE) + 0.0 AS value,
    coalesce(json_as_text(event, 'source'), 'unknown') AS source,
    coalesce(json_as_text(event, 'metric'), 'value') AS metric,
    json_as_text(event, 'id') AS id,
    json_get_json(event, 'tags') AS tags,
    json_as_text(event, 'weir') AS weir,
    json_length(event) AS names,
    json_length(get_first_json_object(event, '$')) AS strict_names
-- @if time = "arrival"
  FROM (SELECT value AS raw, TRY_CAST(value AS TEXT) AS event, ${time_of_event} AS timestamp FROM events_raw) AS records
-- @end
-- @if time = "event"
  FROM (SELECT value AS raw, TRY_CAST(value AS TEXT) AS event FROM events_raw) AS records
-- @end
) AS fields;
-- @end
-- @if decode = "typed"
SELECT
  *,
  CASE
    WHEN value IS NULL AND concat(source_text, metric_text, id, tags) = '' AND weir = 'heartbeat' AND probe_id IS NULL THEN 'heartbeat'
    WHEN value IS NULL AND concat(source_text, metric_text, id, tags) = '' AND weir = 'probe' AND probe_id IS NOT NULL THEN 'probe'
    WHEN timestamp IS NULL THEN 'bad_timestamp'
    WHEN value IS NULL OR isnan(value) OR NOT abs(value) < 1.7976931348623157e308 THEN 'bad_value'
    ELSE 'event'
  END AS kind
FROM (
  SELECT
    row_time() AS event_time,
-- @if time = "arrival"
    ${time_of_event} AS timestamp,
-- @end
-- @if time = "event"
    nullif(row_time(), ${no_time}) AS timestamp,
-- @end
    value + 0.0 AS value,
    source AS source_text,
    metric AS metric_text,
    coalesce(source, 'unknown') AS source,
    coalesce(metric, 'value') AS metric,
    btrim(id, '"') AS id,
    tags,
    weir,
    probe_id,
    sent_at
  FROM events_raw
) AS fields;
-- @end

-- What rules select from. `event_time` is the clock that windows go by, `timestamp` what the event says of itself, and `series`
-- names a metric of a source.
CREATE VIEW events AS
-- @if decode = "tolerant"
-- `event` is the whole JSON text: event ->> 'field' reaches every further field.
SELECT event_time, timestamp, value, source, metric, concat(source, '/', metric) AS series, id, tags, event
-- @end
-- @if decode = "typed"
SELECT event_time, timestamp, value, source, metric, concat(source, '/', metric) AS series, id, tags
-- @end
FROM decoded
WHERE kind = 'event';

-- For rules about silence: the events, and the heartbeat as rows without a source. Silence is when time moves on without a source;
-- when nothing comes at all, not even the heartbeat, time stands still, or the data have ended.
CREATE VIEW activity AS
SELECT
  event_time,
  CASE WHEN kind = 'event' THEN value END AS value,
  CASE WHEN kind = 'event' THEN source END AS source,
  CASE WHEN kind = 'event' THEN metric END AS metric,
  CASE WHEN kind = 'event' THEN concat(source, '/', metric) END AS series
FROM decoded
WHERE kind IN ('event', 'heartbeat');

-- Where rules write, by way of the compiler. A flush interval of 0 sends an anomaly at once.
CREATE TABLE anomalies (
  id TEXT,
  rule TEXT,
  rule_version TEXT,
  severity TEXT,
  key TEXT,
  timestamp TIMESTAMP,
  window_start TIMESTAMP,
  window_end TIMESTAMP,
  value DOUBLE,
  expected DOUBLE,
  score DOUBLE,
  details JSON,
  rule_meta JSON
) WITH (
  connector = 'kinesis', type = 'sink', stream_name = '${anomalies_stream}', ${aws_region}
  'sink.flush_interval_millis' = '0', format = 'json'
);

-- @if decode = "tolerant"
-- Records that are no events, on their way to quarantine by the same stream.
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
  connector = 'kinesis', type = 'sink', stream_name = '${anomalies_stream}', ${aws_region}
  'sink.flush_interval_millis' = '0', format = 'json'
);

CREATE VIEW no_events AS
SELECT
  kind AS reason,
  CASE kind
    WHEN 'not_utf8' THEN 'the record is not UTF-8'
    WHEN 'not_json' THEN 'the record is not one whole JSON value'
    WHEN 'several_values' THEN 'one record is one event: there are several JSON values in it'
    WHEN 'not_an_object' THEN 'the record is JSON, but no object'
    WHEN 'repeated_field' THEN 'a field stands twice in the record'
    WHEN 'bad_value' THEN
      CASE WHEN json_as_text(event, 'value') IS NULL THEN 'there is no field `value`' ELSE '`value` is no finite number' END
    ELSE
      CASE
        WHEN json_as_text(event, 'timestamp') IS NULL THEN 'there is no field `timestamp`'
        WHEN TRY_CAST(json_as_text(event, 'timestamp') AS DOUBLE) BETWEEN 1.0e8 AND 1.0e11 THEN
          '`timestamp` looks like seconds: milliseconds since 1970 are wanted'
        WHEN TRY_CAST(json_as_text(event, 'timestamp') AS DOUBLE) BETWEEN 1.0e14 AND 1.0e17 THEN
          '`timestamp` looks like microseconds: milliseconds since 1970 are wanted'
        WHEN TRY_CAST(json_as_text(event, 'timestamp') AS DOUBLE) BETWEEN 1.0e17 AND 1.0e20 THEN
          '`timestamp` looks like nanoseconds: milliseconds since 1970 are wanted'
        WHEN TRY_CAST(json_as_text(event, 'timestamp') AS DOUBLE) IS NOT NULL
          OR TRY_CAST(json_as_text(event, 'timestamp') AS TIMESTAMP) IS NOT NULL THEN
          '`timestamp` lies outside the times that an event can have'
        ELSE '`timestamp` is neither milliseconds since 1970 nor ISO 8601'
      END
  END AS error,
  encode(raw, 'base64') AS raw,
-- @if time = "arrival"
  event_time AS arrival_time
-- @end
-- @if time = "event"
  CAST(NULL AS TIMESTAMP) AS arrival_time
-- @end
FROM decoded
WHERE kind NOT IN ('event', 'heartbeat', 'probe');

-- A large record is larger still in base64: it travels in parts that a quarantine message can hold, under one id.
-- rule weir_poison
INSERT INTO poison
SELECT
  'poison' AS record_type, record_id, '${events_stream}' AS stream, reason, error, substr(raw, (part - 1) * 200000 + 1, 200000) AS raw,
  part, parts, arrival_time
FROM (
  SELECT record_id, reason, error, raw, parts, arrival_time, unnest(generate_series(1, parts)) AS part
  FROM (
    SELECT
      left(encode(sha256(raw), 'hex'), 32) AS record_id, reason, error, raw, arrival_time,
      greatest(CAST((octet_length(raw) + 199999) / 200000 AS BIGINT), 1) AS parts
    FROM no_events
  ) AS measured
) AS cut;
-- @end

-- The heartbeat's probe passes through the whole path as an anomaly that alerts nobody.
-- rule weir_probe
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
  concat('{"probe_id":"', probe_id, '","sent_at":"', sent_at, '"}') AS details,
  '{"stage":"shadow"}' AS rule_meta
FROM (
  SELECT
    event_time,
-- @if decode = "tolerant"
    regexp_replace(coalesce(json_as_text(event, 'probe_id'), ''), '[^0-9A-Za-z:._-]', '', 'g') AS probe_id,
    regexp_replace(coalesce(json_as_text(event, 'sent_at'), ''), '[^0-9A-Za-z:._-]', '', 'g') AS sent_at
-- @end
-- @if decode = "typed"
    regexp_replace(coalesce(probe_id, ''), '[^0-9A-Za-z:._-]', '', 'g') AS probe_id,
    regexp_replace(coalesce(sent_at, ''), '[^0-9A-Za-z:._-]', '', 'g') AS sent_at
-- @end
  FROM decoded
  WHERE kind = 'probe'
) AS probes;
