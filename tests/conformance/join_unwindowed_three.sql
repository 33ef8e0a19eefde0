-- arroyo: rows are kept for as long as the job runs, whatever updating_ttl says; they expire when it is restored
-- input: join_unwindowed_expiry
CREATE TABLE e (
  t TIMESTAMP NOT NULL, side TEXT, k TEXT, n BIGINT,
  WATERMARK FOR t
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SET updating_ttl = '10 seconds';
SELECT l.n AS l, r.n AS r, e.n AS e FROM (SELECT k, n FROM e WHERE side = 'l') l
  JOIN (SELECT k, n FROM e WHERE side = 'r') r ON l.k = r.k JOIN e ON r.k = e.k;
