-- arroyo: its planner panics
-- refused: DISTINCT ON is not supported
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT DISTINCT ON (k) k, n FROM readings;
