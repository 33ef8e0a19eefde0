-- refused: a GROUP BY over a UNION ALL
CREATE TABLE readings (ts TIMESTAMP NOT NULL, k TEXT, v DOUBLE, n BIGINT, WATERMARK FOR ts) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT k FROM readings WHERE v > 1 UNION SELECT k FROM readings WHERE v < 0;
