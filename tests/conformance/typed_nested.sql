CREATE TABLE e (a STRUCT<b INT, c STRUCT<d TEXT> >, l ARRAY<INT>, n BIGINT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT n, a.b AS b, a.c.d AS d, l[1] AS one, array_length(l) AS len, l, a FROM e;
