-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT l.w AS w, l.k AS k, l.c AS c, r.s AS s FROM (SELECT hop(INTERVAL '5 seconds', INTERVAL '10 seconds') AS w, k, count(*) AS c FROM readings GROUP BY 1, 2) l JOIN (SELECT hop(INTERVAL '5 seconds', INTERVAL '10 seconds') AS w, k, sum(n) AS s FROM readings WHERE n % 2 = 0 GROUP BY 1, 2) r ON l.w = r.w AND l.k = r.k;
