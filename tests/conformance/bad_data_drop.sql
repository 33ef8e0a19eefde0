-- arroyo: its source drops every record after the first broken JSON
CREATE TABLE t (a BIGINT NOT NULL) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json', bad_data = 'drop');
SELECT a FROM t;
