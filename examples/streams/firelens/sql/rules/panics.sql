-- name = "panics"
-- severity = "warning"
-- description = "Five panics of a container, none of them twenty seconds apart from the next."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/panics"

SELECT key, window, CAST(found AS DOUBLE) AS value, 1.0 - 5.0 / (2.0 * found) AS score
FROM (
  SELECT container_name AS key, session(INTERVAL '20 seconds') AS window, count(*) AS found
  FROM firelens
  WHERE log LIKE 'panic:%'
  GROUP BY key, window
) AS bursts
WHERE found >= 5
