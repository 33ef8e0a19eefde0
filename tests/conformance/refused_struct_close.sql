-- refused: unmatched > in STRUCT definition
CREATE TABLE e (a STRUCT<b INT, c STRUCT<d TEXT>>, n BIGINT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT n FROM e;
