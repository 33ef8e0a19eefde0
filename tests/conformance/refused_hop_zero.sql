-- arroyo: its planner panics
-- refused: the size of a time window must be positive
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT hop(INTERVAL '0 seconds', INTERVAL '1 minute') AS w, count(*) AS c FROM readings GROUP BY 1;
