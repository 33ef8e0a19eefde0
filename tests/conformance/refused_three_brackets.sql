-- refused: expected `>`, found
CREATE TABLE e (a STRUCT<b ARRAY<STRUCT<c TEXT>>>, n BIGINT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT n FROM e;
