-- input: readings
CREATE TABLE readings (value JSON) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', 'json.unstructured' = 'true');
SELECT json_as_text(value, 'k') AS k, json_get_float(value, 'v') AS v, json_get_int(value, 'n') AS n, json_length(value) AS len FROM readings;
