-- What every rule shares: the events stream as it comes, the view that rules select from, and the two ways out.
--
-- decode = "tolerant": the source takes bytes, so that no record can wedge or kill the pipeline. What is no event ends in
-- quarantine, byte for byte, and the rules never see it. decode = "typed": the source parses JSON into columns, which costs
-- a small part of the CPU on Arroyo; there a record that does not fit is dropped and counted, and one that is no JSON at all
-- stops the source until the pipeline is restarted. `-- @if` blocks and ${names} are filled from the environment.

CREATE TABLE events_raw (
-- @if decode = "tolerant"
-- @if time = "arrival"
  value BYTEA NOT NULL
-- @end
-- @if time = "event"
  value BYTEA NOT NULL,
  -- An unusable time is far in the past here, so that the row is late, and far in the future in the watermark, which takes
  -- the least of a batch and so ignores it. (Before 1970 the watermark would end the job.)
  event_time TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(
    TRY_CAST(to_timestamp_millis(TRY_CAST(json_as_text(TRY_CAST(value AS TEXT), 'timestamp') AS BIGINT)) AS TIMESTAMP),
    TRY_CAST(json_as_text(TRY_CAST(value AS TEXT), 'timestamp') AS TIMESTAMP),
    TIMESTAMP '1971-01-01 00:00:00')),
  WATERMARK FOR event_time AS (coalesce(
    TRY_CAST(to_timestamp_millis(TRY_CAST(json_as_text(TRY_CAST(value AS TEXT), 'timestamp') AS BIGINT)) AS TIMESTAMP),
    TRY_CAST(json_as_text(TRY_CAST(value AS TEXT), 'timestamp') AS TIMESTAMP),
    TIMESTAMP '2200-01-01 00:00:00') - ${watermark_delay})
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
  -- As above: unusable is late here, and ignored by the watermark.
  event_time TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(
    TRY_CAST(to_timestamp_millis(TRY_CAST(btrim(timestamp, '"') AS BIGINT)) AS TIMESTAMP),
    TRY_CAST(btrim(timestamp, '"') AS TIMESTAMP),
    TIMESTAMP '1971-01-01 00:00:00')),
  WATERMARK FOR event_time AS (coalesce(
    TRY_CAST(to_timestamp_millis(TRY_CAST(btrim(timestamp, '"') AS BIGINT)) AS TIMESTAMP),
    TRY_CAST(btrim(timestamp, '"') AS TIMESTAMP),
    TIMESTAMP '2200-01-01 00:00:00') - ${watermark_delay})
-- @end
) WITH (
  connector = 'kinesis', type = 'source', stream_name = '${events_stream}', ${aws_region}
  'source.offset' = '${source_offset}', format = 'json', bad_data = 'drop'
);
-- @end

-- Every record, its fields taken apart; a field that cannot be read is NULL. `control` names Weir's own records.
CREATE VIEW decoded AS
-- @if decode = "tolerant"
SELECT
  row_time() AS event_time,
  raw,
  event,
  json_length(event) IS NOT NULL AS is_json,
  coalesce(
    TRY_CAST(to_timestamp_millis(TRY_CAST(json_as_text(event, 'timestamp') AS BIGINT)) AS TIMESTAMP),
    TRY_CAST(json_as_text(event, 'timestamp') AS TIMESTAMP)) AS timestamp,
  TRY_CAST(json_as_text(event, 'value') AS DOUBLE) AS value,
  coalesce(json_as_text(event, 'source'), 'unknown') AS source,
  coalesce(json_as_text(event, 'metric'), 'value') AS metric,
  json_as_text(event, 'id') AS id,
  json_get_json(event, 'tags') AS tags,
  json_as_text(event, 'weir') AS control
FROM (SELECT value AS raw, TRY_CAST(value AS TEXT) AS event FROM events_raw);
-- @end
-- @if decode = "typed"
SELECT
  row_time() AS event_time,
  coalesce(
    TRY_CAST(to_timestamp_millis(TRY_CAST(btrim(timestamp, '"') AS BIGINT)) AS TIMESTAMP),
    TRY_CAST(btrim(timestamp, '"') AS TIMESTAMP)) AS timestamp,
  value,
  coalesce(source, 'unknown') AS source,
  coalesce(metric, 'value') AS metric,
  btrim(id, '"') AS id,
  tags,
  weir AS control,
  probe_id,
  sent_at
FROM events_raw;
-- @end

-- What rules select from. `event_time` is the clock that windows go by, `timestamp` what the event says of itself, and `series`
-- names a metric of a source.
CREATE VIEW events AS
-- @if decode = "tolerant"
-- `event` is the whole JSON text: event ->> 'field' reaches every further field.
SELECT event_time, timestamp, value, source, metric, concat(source, '/', metric) AS series, id, tags, event
FROM decoded
WHERE control IS NULL AND is_json AND timestamp IS NOT NULL AND abs(value) < 1.7976931348623157e308 AND NOT isnan(value);
-- @end
-- @if decode = "typed"
SELECT event_time, timestamp, value, source, metric, concat(source, '/', metric) AS series, id, tags
FROM decoded
WHERE control IS NULL AND timestamp IS NOT NULL AND abs(value) < 1.7976931348623157e308 AND NOT isnan(value);
-- @end

-- For rules about silence: the events, and the heartbeat as rows without a source. Silence is when time moves on without a source;
-- when nothing comes at all, not even the heartbeat, time stands still, or the data have ended.
CREATE VIEW activity AS
-- @if decode = "tolerant"
SELECT
  event_time,
  CASE WHEN control IS NULL THEN value END AS value,
  CASE WHEN control IS NULL THEN source END AS source,
  CASE WHEN control IS NULL THEN metric END AS metric,
  CASE WHEN control IS NULL THEN concat(source, '/', metric) END AS series
FROM decoded
WHERE control = 'heartbeat'
  OR (control IS NULL AND is_json AND timestamp IS NOT NULL AND abs(value) < 1.7976931348623157e308 AND NOT isnan(value));
-- @end
-- @if decode = "typed"
SELECT
  event_time,
  CASE WHEN control IS NULL THEN value END AS value,
  CASE WHEN control IS NULL THEN source END AS source,
  CASE WHEN control IS NULL THEN metric END AS metric,
  CASE WHEN control IS NULL THEN concat(source, '/', metric) END AS series
FROM decoded
WHERE control = 'heartbeat'
  OR (control IS NULL AND timestamp IS NOT NULL AND abs(value) < 1.7976931348623157e308 AND NOT isnan(value));
-- @end

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
  CASE WHEN event IS NULL THEN 'not_utf8' WHEN NOT is_json THEN 'not_json' WHEN timestamp IS NULL THEN 'bad_timestamp'
    ELSE 'bad_value' END AS reason,
  encode(raw, 'base64') AS raw,
-- @if time = "arrival"
  event_time AS arrival_time
-- @end
-- @if time = "event"
  CAST(NULL AS TIMESTAMP) AS arrival_time
-- @end
FROM decoded
WHERE control IS NULL AND (event IS NULL OR NOT is_json OR timestamp IS NULL OR value IS NULL
  OR isnan(value) OR NOT abs(value) < 1.7976931348623157e308);

-- A large record is larger still in base64: it travels in parts that a quarantine message can hold, under one id.
-- rule weir_poison
INSERT INTO poison
SELECT
  'poison' AS record_type, record_id, '${events_stream}' AS stream, reason, substr(raw, (part - 1) * 200000 + 1, 200000) AS raw,
  part, parts, arrival_time
FROM (
  SELECT record_id, reason, raw, parts, arrival_time, unnest(generate_series(1, parts)) AS part
  FROM (
    SELECT
      left(encode(sha256(raw), 'hex'), 32) AS record_id, reason, raw, arrival_time,
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
  WHERE control = 'probe'
) AS probes;
