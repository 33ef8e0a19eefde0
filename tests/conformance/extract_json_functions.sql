CREATE TABLE e (value JSON NOT NULL) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', 'json.unstructured' = 'true');
SELECT extract_json_string(value, '$.s') AS s, extract_json(value, '$.l[*]') AS l, json_get_int(value, 'n') AS n, json_length(value, 'l') AS len, json_contains(value, 's') AS has FROM e;
