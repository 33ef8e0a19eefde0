-- name = "clicks"
-- severity = "warning"
-- description = "A user who clicks ten times, never ten seconds apart."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/clicks"

SELECT key, window, CAST(found AS DOUBLE) AS value, 1.0 - 10.0 / (2.0 * found) AS score
FROM (
  SELECT user_id AS key, session(INTERVAL '10 seconds') AS window, count(*) AS found
  FROM snowplow
  WHERE event = 'struct'
  GROUP BY key, window
) AS bursts
WHERE found >= 10
