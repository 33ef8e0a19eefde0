-- input: null_keys
CREATE TABLE e (
  t TIMESTAMP NOT NULL, k TEXT, j BIGINT, v DOUBLE,
  WATERMARK FOR t AS t - INTERVAL '1 second'
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT l.k, l.j, r.v FROM e l JOIN e r ON l.k = r.k AND l.j = r.j;
