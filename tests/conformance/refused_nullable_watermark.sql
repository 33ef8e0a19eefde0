-- refused: must be NOT NULL
CREATE TABLE t (d TIMESTAMP, WATERMARK FOR d AS (d - INTERVAL '1 second')) WITH (connector = 'single_file', path = 'x', type = 'source', format = 'json');
SELECT 1;
