-- arroyo: a hopping window loses a row after a hole when no second row comes into its slide before the watermark moves on
-- input: late
CREATE TABLE e (
  t TIMESTAMP NOT NULL, k TEXT, n BIGINT,
  WATERMARK FOR t
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT hop(INTERVAL '5 seconds', INTERVAL '10 seconds') AS w, k, count(*) AS c, sum(n) AS s FROM e GROUP BY 1, 2;
