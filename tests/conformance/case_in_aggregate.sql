-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT k, tumble(INTERVAL '10 seconds') AS w, sum(CASE WHEN v > 5 THEN 1 ELSE 0 END) AS high, count(v) AS present, count(*) AS rows, avg(v) FILTER (WHERE n % 2 = 0) AS even FROM readings GROUP BY 1, 2 HAVING count(*) > 1 AND max(v) - min(v) > 1;
