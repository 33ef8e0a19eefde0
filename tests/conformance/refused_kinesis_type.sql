-- refused: 'type' must be 'source' or 'sink'
CREATE TABLE e (a INT) WITH (connector = 'kinesis', type = 'both', stream_name = 's', format = 'json');
SELECT a FROM e;
