-- refused: exactly one window expression
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT k, row_number() OVER (PARTITION BY w ORDER BY n) AS r, sum(n) OVER (PARTITION BY k) AS s FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM readings GROUP BY 1, 2);
