-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
CREATE TABLE out (what TEXT, k TEXT, x DOUBLE) WITH (connector = 'single_file', path = 'o', type = 'sink', format = 'json');
INSERT INTO out SELECT 'count', k, CAST(c AS DOUBLE) FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS c FROM readings GROUP BY 1, 2) WHERE c > 3;
INSERT INTO out SELECT 'mean', NULL, round(m, 4) FROM (SELECT tumble(INTERVAL '10 seconds') AS w, avg(v) AS m FROM readings GROUP BY 1);
INSERT INTO out SELECT 'row', k, v FROM readings WHERE v > 9.5;
