-- input: readings
CREATE TABLE readings (ts BIGINT NOT NULL, n BIGINT, at TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '1971-01-01 00:00:00')), WATERMARK FOR at) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT count(*) AS c, tumble(INTERVAL '10 seconds') AS w FROM readings GROUP BY 2;
