-- refused: column count doesn't match insert query
CREATE TABLE o (a BIGINT) WITH (connector = 'single_file', path = 'o', type = 'sink', format = 'json');
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
INSERT INTO o SELECT n, v FROM readings;
