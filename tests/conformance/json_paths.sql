-- input: readings
CREATE TABLE readings (value JSON) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', 'json.unstructured' = 'true');
SELECT extract_json_string(value, '$.k') AS k, get_first_json_object(value, '$.n') AS n, extract_json(value, '$.*') AS every FROM readings;
