-- refused: cannot be used in a connection table
CREATE TABLE t (d SMALLINT) WITH (connector = 'single_file', path = 'x', type = 'source', format = 'json');
SELECT 1;
