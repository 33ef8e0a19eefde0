-- refused: requires a schema with a single field called `value`
CREATE TABLE e (a TEXT, value JSON) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', 'json.unstructured' = 'true');
SELECT a FROM e;
