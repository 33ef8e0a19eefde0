-- refused: unknown options provided in WITH clause: 'sink.flush_interval_millis'
CREATE TABLE e (a INT) WITH (connector = 'kinesis', type = 'source', stream_name = 's', format = 'json', 'sink.flush_interval_millis' = 100);
SELECT a FROM e;
