-- refused: run it on Arroyo
CREATE TABLE t (d INT) WITH (connector = 'kafka', type = 'source', format = 'json');
SELECT 1;
