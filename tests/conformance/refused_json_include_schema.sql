-- refused: not supported by the embedded engine: option 'json.include_schema'
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
CREATE TABLE out (n BIGINT) WITH (connector = 'single_file', path = 'o', type = 'sink', format = 'json', 'json.include_schema' = 'true');
INSERT INTO out SELECT n FROM readings;
