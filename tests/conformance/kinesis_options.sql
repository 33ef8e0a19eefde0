-- planned: a stream needs a network
CREATE TABLE e (value JSON NOT NULL) WITH (connector = 'kinesis', type = 'source', stream_name = 'in', aws_region = 'eu-central-1',
  'source.offset' = 'earliest', format = 'json', 'json.unstructured' = 'true', bad_data = 'drop', framing = 'newline', 'framing.newline.max_length' = 100000);
CREATE TABLE newest (a BIGINT) WITH (connector = 'kinesis', type = 'source', stream_name = 'in', 'source.offset' = 'latest', format = 'json');
CREATE TABLE out (x TEXT) WITH (connector = 'kinesis', type = 'sink', stream_name = 'out', 'sink.flush_interval_millis' = 0,
  'sink.max_bytes_per_batch' = '1000000', 'sink.max_records_per_batch' = 100, format = 'json', 'json.timestamp_format' = 'unix_millis');
CREATE TABLE plain (value TEXT) WITH (connector = 'kinesis', type = 'sink', stream_name = 'out', format = 'raw_string');
INSERT INTO out SELECT json_as_text(value, 'x') AS x FROM e;
INSERT INTO plain SELECT CAST(a AS TEXT) AS value FROM newest;
