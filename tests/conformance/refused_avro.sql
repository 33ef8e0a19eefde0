-- refused: not supported by the embedded engine: format 'avro'
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'avro');
SELECT n FROM readings;
