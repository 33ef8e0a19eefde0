-- arroyo: a hopping window loses a row after a hole when no second row comes into its slide before the watermark moves on
CREATE TABLE e (
  t TIMESTAMP NOT NULL, n BIGINT,
  WATERMARK FOR t AS t - INTERVAL '1 second'
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT tumble(INTERVAL '10 seconds') AS w, count(*) AS c FROM e GROUP BY 1;
SELECT hop(INTERVAL '20 seconds', INTERVAL '1 minute') AS w, count(*) AS c FROM e GROUP BY 1;
SELECT session(INTERVAL '1 minute') AS w, count(*) AS c FROM e GROUP BY 1;
