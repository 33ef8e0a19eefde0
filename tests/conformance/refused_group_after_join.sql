-- refused: must have window
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT w, count(*) FROM (SELECT a.w, a.k FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM readings WHERE v > 3 GROUP BY 1, 2) a JOIN (SELECT k, tumble(INTERVAL '10 seconds') AS w, sum(v) AS s FROM readings WHERE v > 7 GROUP BY 1, 2) b ON a.w = b.w AND a.k = b.k) GROUP BY w;
