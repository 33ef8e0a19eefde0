-- input: readings
CREATE TABLE readings (ts TIMESTAMP(3), n BIGINT, at TIMESTAMP GENERATED ALWAYS AS (CAST(ts AS TIMESTAMP))) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', event_time_field = 'at');
SELECT count(*) AS c, tumble(INTERVAL '10 seconds') AS w FROM readings GROUP BY 2;
