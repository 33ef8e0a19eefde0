-- input: readings
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
CREATE TABLE out (k TEXT, x DOUBLE) WITH (connector = 'single_file', path = 'o', type = 'sink', format = 'json');
INSERT INTO out SELECT k, v FROM readings WHERE v > 9;
INSERT INTO out SELECT k, -v FROM others WHERE v < 1;
INSERT INTO out SELECT k, c FROM (SELECT k, hop(INTERVAL '5 seconds', INTERVAL '10 seconds') AS w, count(*) AS c FROM others GROUP BY 1, 2) WHERE c > 4;
