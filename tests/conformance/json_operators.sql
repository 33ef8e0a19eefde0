-- input: readings
CREATE TABLE readings (value JSON) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', 'json.unstructured' = 'true');
SELECT value->>'k' AS k, value->'v' AS v, value ? 'n' AS has FROM readings;
