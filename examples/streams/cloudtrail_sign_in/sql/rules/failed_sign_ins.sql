-- name = "failed_sign_ins"
-- severity = "warning"
-- description = "Five sign-ins of a user fail, none of them two minutes apart from the next."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/failed_sign_ins"

SELECT key, window, CAST(found AS DOUBLE) AS value, 1.0 - 5.0 / (2.0 * found) AS score
FROM (
  SELECT user_name AS key, session(INTERVAL '2 minutes') AS window, count(*) AS found
  FROM cloudtrail_sign_in
  WHERE console_login = 'Failure'
  GROUP BY key, window
) AS bursts
WHERE found >= 5
