-- name = "failed_runs"
-- severity = "warning"
-- description = "Five workflow runs fail, none of them half an hour apart from the next."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/failed_runs"

SELECT 'workflows' AS key, window, CAST(failures AS DOUBLE) AS value, 1.0 - 5.0 / (2.0 * failures) AS score
FROM (SELECT session(INTERVAL '30 minutes') AS window, count(*) AS failures FROM github_webhooks WHERE conclusion = 'failure' GROUP BY window) AS bursts
WHERE failures >= 5
