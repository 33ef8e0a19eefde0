-- refused: WATERMARK FOR field `nothing` does not exist in table
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR nothing) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT n FROM readings;
