CREATE TABLE e (n BIGINT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', framing = 'newline');
SELECT n FROM e;
