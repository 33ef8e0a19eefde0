-- input: late
CREATE TABLE e (
  t TIMESTAMP NOT NULL, k TEXT, n BIGINT,
  WATERMARK FOR t
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT k, session(INTERVAL '12 seconds') AS w, count(*) AS c, sum(n) AS s FROM e GROUP BY 1, 2;
