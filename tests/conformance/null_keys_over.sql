-- input: null_keys
CREATE TABLE e (
  t TIMESTAMP NOT NULL, k TEXT, j BIGINT, v DOUBLE,
  WATERMARK FOR t AS t - INTERVAL '1 second'
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT k, w, c, rank() OVER (PARTITION BY w, k ORDER BY j) AS r FROM (SELECT k, j, tumble(INTERVAL '10 seconds') AS w, count(*) AS c FROM e GROUP BY 1, 2, 3);
