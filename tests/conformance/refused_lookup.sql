-- refused: lookup
CREATE TEMPORARY TABLE t (k TEXT METADATA FROM 'key' PRIMARY KEY) WITH (connector = 'redis', format = 'raw_string');
SELECT 1;
