-- name = "emptied_pages"
-- severity = "warning"
-- description = "A user who empties ten pages, never ten seconds apart."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/emptied_pages"

SELECT key, window, CAST(found AS DOUBLE) AS value, 1.0 - 10.0 / (2.0 * found) AS score
FROM (
  SELECT "user" AS key, session(INTERVAL '10 seconds') AS window, count(*) AS found
  FROM wikimedia_changes
  WHERE old > 100 AND new = 0
  GROUP BY key, window
) AS bursts
WHERE found >= 10
