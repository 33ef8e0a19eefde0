-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  wm TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '3 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', event_time_field = 't', watermark_field = 'wm');
SELECT tumble(INTERVAL '10 seconds') AS w, count(*) AS c FROM readings GROUP BY 1;
