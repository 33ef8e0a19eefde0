-- input: readings
-- arroyo: rows are kept for as long as the job runs, whatever updating_ttl says; they expire when it is restored
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
CREATE TABLE others (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '5 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SET updating_ttl = '3 seconds';
SELECT l.n, r.n AS m FROM readings l JOIN others r ON l.k = r.k WHERE l.v > 6 AND r.v < 4;
