-- refused: unknown metadata field
CREATE TABLE t (d INT, k TEXT METADATA FROM 'key') WITH (connector = 'kinesis', stream_name = 's', type = 'source', format = 'json');
SELECT 1;
