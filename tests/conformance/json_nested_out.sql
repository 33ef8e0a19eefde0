-- input: readings
CREATE TABLE readings (value JSON) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', 'json.unstructured' = 'true');
CREATE TABLE out (n BIGINT, whole JSON) WITH (connector = 'single_file', path = 'o', type = 'sink', format = 'json');
INSERT INTO out SELECT json_get_int(value, 'n'), value FROM readings;
