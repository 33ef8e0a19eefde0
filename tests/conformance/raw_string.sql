-- input: readings
CREATE TABLE readings (value TEXT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'raw_string');
SELECT character_length(value) AS l FROM readings;
