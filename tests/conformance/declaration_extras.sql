-- input: readings
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT PRIMARY KEY,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)) STORED,
  twice BIGINT GENERATED ALWAYS AS (n * 2),
  WATERMARK FOR t
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', idle_micros = 1000000,
  'json.include_schema' = 'false', 'json.confluent_schema_registry' = 'false', 'json.decimal_encoding' = 'number');
SELECT k, twice, t FROM readings WHERE n < 5;
