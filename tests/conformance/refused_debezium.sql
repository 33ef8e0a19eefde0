-- refused: run it on Arroyo
CREATE TABLE t (d INT) WITH (connector = 'single_file', path = 'x', type = 'sink', format = 'debezium_json');
SELECT 1;
