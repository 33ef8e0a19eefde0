-- refused: 'format' must be set for kinesis connections
CREATE TABLE e (a INT) WITH (connector = 'kinesis', type = 'source', stream_name = 's');
SELECT a FROM e;
