CREATE TABLE e (t TIMESTAMP NOT NULL, d DECIMAL(10, 2), s TEXT, WATERMARK FOR t)
  WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT tumble(INTERVAL '10 seconds') AS w, sum(d) AS total, max(d) AS most, sum(TRY_CAST(s AS DECIMAL(20, 4))) AS texts, count(TRY_CAST(s AS DECIMAL(76, 10))) AS readable
  FROM e GROUP BY 1;
