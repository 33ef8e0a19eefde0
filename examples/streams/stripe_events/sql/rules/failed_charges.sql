-- name = "failed_charges"
-- severity = "warning"
-- description = "Five charges fail, none of them two minutes apart from the next."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/failed_charges"

SELECT key, window, CAST(found AS DOUBLE) AS value, 1.0 - 5.0 / (2.0 * found) AS score
FROM (
  SELECT type AS key, session(INTERVAL '2 minutes') AS window, count(*) AS found
  FROM stripe_events
  WHERE failure_code IS NOT NULL
  GROUP BY key, window
) AS bursts
WHERE found >= 5
