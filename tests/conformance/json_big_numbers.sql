-- arroyo: `->` panics at an integer of 19 digits, and the job starts over until it gives up
CREATE TABLE e (value JSON NOT NULL) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', 'json.unstructured' = 'true');
SELECT value->'n' AS n, value->>'n' AS text, value->'o' AS o, value->'o'->'n' AS inner, json_get_int(value, 'n') AS int, json_get_float(value, 'n') AS float FROM e;
