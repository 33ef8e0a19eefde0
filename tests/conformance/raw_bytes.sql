-- input: readings
CREATE TABLE readings (value BYTEA) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'raw_bytes');
SELECT encode(value, 'hex') AS h, octet_length(TRY_CAST(value AS TEXT)) AS l FROM readings;
