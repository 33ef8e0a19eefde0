-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT l.k AS lk, r.k AS rk, l.c AS c, r.c AS d FROM (SELECT tumble(INTERVAL '10 seconds') AS w, k, n % 2 AS p, count(*) AS c FROM readings WHERE v > 5 GROUP BY 1, 2, 3) l FULL JOIN (SELECT tumble(INTERVAL '10 seconds') AS w, k, n % 2 AS p, count(*) AS c FROM readings WHERE v <= 5 GROUP BY 1, 2, 3) r ON l.w = r.w AND l.k = r.k AND l.p = r.p;
