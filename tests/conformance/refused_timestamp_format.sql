-- refused: invalid value for `json.timestamp_format`: 'rfc3339'
CREATE TABLE o (a TIMESTAMP) WITH (connector = 'single_file', path = 'o', type = 'sink', format = 'json', 'json.timestamp_format' = 'rfc3339');
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
INSERT INTO o SELECT ts FROM readings;
