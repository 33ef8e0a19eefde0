CREATE TABLE e (t TIMESTAMP, n BIGINT) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT n, t, date_trunc('minute', t) AS m, extract(hour FROM t) AS h FROM e;
