-- refused: not found or not a timestamp
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', event_time_field = 'at');
SELECT n FROM readings;
