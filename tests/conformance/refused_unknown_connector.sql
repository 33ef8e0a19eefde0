-- refused: unknown connector
CREATE TABLE t (d INT) WITH (connector = 'nothing', type = 'source', format = 'json');
SELECT 1;
