-- refused: EXPLAIN is not supported
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
EXPLAIN SELECT k FROM readings;
