CREATE TABLE e (
  t TIMESTAMP NOT NULL, side TEXT, k TEXT, n BIGINT,
  WATERMARK FOR t
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT tumble(INTERVAL '10 seconds') AS w, count(*) AS pairs, sum(n) AS n FROM (
  SELECT l.n FROM (SELECT k, n FROM e WHERE side = 'l') l JOIN (SELECT k, n FROM e WHERE side = 'r') r ON l.k = r.k
) GROUP BY 1;
