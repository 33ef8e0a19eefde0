-- refused: could not plan watermark expression
CREATE TABLE t (a BIGINT, d TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(a) AS TIMESTAMP)), WATERMARK FOR d AS (d - INTERVAL '1 second')) WITH (connector = 'single_file', path = 'x', type = 'source', format = 'json');
SELECT 1;
