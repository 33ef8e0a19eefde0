-- refused: unknown options
CREATE TABLE t (d INT) WITH (connector = 'single_file', path = 'x', type = 'source', format = 'json', colour = 'red');
SELECT 1;
