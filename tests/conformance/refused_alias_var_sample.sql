-- refused: invalid function 'var_sample'
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT tumble(INTERVAL '1 minute') AS w, var_sample(v) AS s FROM readings GROUP BY 1;
