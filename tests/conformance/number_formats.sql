CREATE TABLE e (a DOUBLE, b BIGINT, c FLOAT, d INT, u BIGINT UNSIGNED, f BOOLEAN) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT a, b, c, d, u, f, a / 3.0 AS third, CAST(a AS TEXT) AS text FROM e;
