-- refused: invalid source.offset 'oldest'
CREATE TABLE e (a INT) WITH (connector = 'kinesis', type = 'source', stream_name = 's', format = 'json', 'source.offset' = 'oldest');
SELECT a FROM e;
