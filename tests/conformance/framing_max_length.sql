CREATE TABLE e (value TEXT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'raw_string', framing = 'newline', 'framing.newline.max_length' = 5);
SELECT value FROM e;
