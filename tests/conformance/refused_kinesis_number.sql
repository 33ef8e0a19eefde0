-- refused: expected with option 'sink.max_records_per_batch' to be an integer
CREATE TABLE e (a INT) WITH (connector = 'kinesis', type = 'sink', stream_name = 's', format = 'json', 'sink.max_records_per_batch' = 'many');
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
INSERT INTO e SELECT n FROM readings;
