-- refused: a GROUP BY over a UNION ALL
CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
CREATE TABLE m (k TEXT, n BIGINT);
INSERT INTO m SELECT k, n FROM readings WHERE v > 8 UNION ALL SELECT k, n FROM readings WHERE v < 2;
SELECT tumble(INTERVAL '10 seconds') AS w, k, count(*) AS c, sum(n) AS s FROM m GROUP BY 1, 2;
