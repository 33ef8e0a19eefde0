-- refused: requires a schema with a single field called `value`
CREATE TABLE e (line TEXT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'raw_string');
SELECT line FROM e;
