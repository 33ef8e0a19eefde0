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
SELECT a.k AS ak, b.k AS bk, a.n, b.s FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM readings WHERE v > 3 GROUP BY 1, 2) a FULL JOIN (SELECT k, tumble(INTERVAL '10 seconds') AS w, sum(v) AS s FROM others WHERE v > 7 GROUP BY 1, 2) b ON a.w = b.w AND a.k = b.k;
