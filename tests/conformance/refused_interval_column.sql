-- refused: cannot be used in a connection table
CREATE TABLE e (a INTERVAL) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT a FROM e;
