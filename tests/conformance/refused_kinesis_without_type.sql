-- refused: required option 'type' not set
CREATE TABLE e (a INT) WITH (connector = 'kinesis', stream_name = 's', format = 'json');
SELECT a FROM e;
