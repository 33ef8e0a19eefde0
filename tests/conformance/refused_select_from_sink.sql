-- refused: cannot read from sink
CREATE TABLE s (a INT) WITH (connector = 'stdout', format = 'json');
SELECT a FROM s;
