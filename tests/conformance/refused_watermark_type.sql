-- refused: expected TIMESTAMP
CREATE TABLE t (a BIGINT, WATERMARK FOR a) WITH (connector = 'single_file', path = 'x', type = 'source', format = 'json');
SELECT 1;
