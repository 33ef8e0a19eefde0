-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
CREATE TABLE out (t TIMESTAMP, s TIMESTAMP(3), n BIGINT) WITH (connector = 'single_file', path = 'o', type = 'sink', format = 'json', 'json.timestamp_format' = 'RFC3339');
INSERT INTO out SELECT t, CAST(t AS TIMESTAMP(3)) AS s, n FROM readings WHERE n < 6;
