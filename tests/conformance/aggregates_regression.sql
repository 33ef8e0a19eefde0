-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT tumble(INTERVAL '10 seconds') AS w, round(regr_slope(v, n), 6) AS slope, round(regr_intercept(v, n), 6) AS intercept, regr_count(v, n) AS c, round(regr_r2(v, n), 6) AS r2, round(regr_avgx(v, n), 6) AS ax, round(regr_avgy(v, n), 6) AS ay, round(regr_sxx(v, n), 6) AS sxx, round(regr_syy(v, n), 6) AS syy, round(regr_sxy(v, n), 6) AS sxy FROM readings GROUP BY 1;
