-- refused: required option 'stream_name' not set
CREATE TABLE e (a INT) WITH (connector = 'kinesis', type = 'source', format = 'json');
SELECT a FROM e;
