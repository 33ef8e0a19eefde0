-- input: null_keys
CREATE TABLE e (
  t TIMESTAMP NOT NULL, k TEXT, j BIGINT, v DOUBLE,
  WATERMARK FOR t AS t - INTERVAL '1 second'
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT l.k AS k, l.c AS c, r.s AS s FROM (SELECT tumble(INTERVAL '10 seconds') AS w, k, count(*) AS c FROM e GROUP BY 1, 2) l LEFT JOIN (SELECT tumble(INTERVAL '10 seconds') AS w, k, sum(v) AS s FROM e GROUP BY 1, 2) r ON l.w = r.w AND l.k = r.k;
