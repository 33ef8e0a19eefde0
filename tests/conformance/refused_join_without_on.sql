-- refused: join
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT a.k FROM readings a CROSS JOIN readings b;
