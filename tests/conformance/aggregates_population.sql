-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT tumble(INTERVAL '10 seconds') AS w, round(stddev_pop(v), 6) AS sp, round(var(v), 6) AS vs, round(covar_samp(v, n), 6) AS cs, round(covar_pop(v, n), 6) AS cp, bool_or(v > 9) AS any_high, bit_xor(n) AS bx FROM readings GROUP BY 1;
