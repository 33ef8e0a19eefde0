-- refused: invalid function 'stddev_samp'
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT tumble(INTERVAL '1 minute') AS w, stddev_samp(v) AS s FROM readings GROUP BY 1;
