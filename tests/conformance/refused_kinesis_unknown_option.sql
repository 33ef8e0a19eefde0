-- refused: unknown options provided in WITH clause: 'source.ofset'
CREATE TABLE e (a INT) WITH (connector = 'kinesis', type = 'source', stream_name = 's', format = 'json', 'source.ofset' = 'latest');
SELECT a FROM e;
