CREATE TABLE e (s TEXT, n BIGINT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT n, TRY_CAST(s AS BIGINT) AS i, TRY_CAST(s AS DOUBLE) AS d, TRY_CAST(s AS BOOLEAN) AS b, TRY_CAST(s AS TIMESTAMP) AS t FROM e;
