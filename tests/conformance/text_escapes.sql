CREATE TABLE e (s TEXT, n BIGINT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT n, s, upper(s) AS u, octet_length(s) AS bytes, character_length(s) AS chars, concat(s, '|x') AS c, s || '\\' AS back FROM e;
