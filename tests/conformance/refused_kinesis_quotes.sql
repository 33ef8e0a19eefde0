-- refused: expected a value in single quotes
CREATE TABLE e (a INT) WITH (connector = 'kinesis', type = 'source', stream_name = "s", format = 'json');
SELECT a FROM e;
