-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT w, k, c, nth_value(k, 2) OVER (PARTITION BY w ORDER BY c, k) AS least FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS c FROM readings GROUP BY 1, 2);
