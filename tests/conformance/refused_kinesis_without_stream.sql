-- refused: TODO
CREATE TABLE e (a INT) WITH (connector = 'kinesis', type = 'source', format = 'json');
SELECT a FROM e;
