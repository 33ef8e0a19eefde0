-- refused: unsupported SQL type ARRAY of ARRAY
CREATE TABLE e (a ARRAY<ARRAY<INT> >, n BIGINT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT n FROM e;
