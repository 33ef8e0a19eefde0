-- refused: window in group by does not match input window
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT tumble(INTERVAL '2 minutes') AS w, sum(c) AS s FROM (SELECT tumble(INTERVAL '1 minute') AS x, count(*) AS c FROM readings GROUP BY 1) GROUP BY 1;
