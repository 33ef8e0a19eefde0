-- name = "server_errors"
-- severity = "warning"
-- description = "Ten answers of 500 and above, none of them a minute apart from the next."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/server_errors"

SELECT 'httpd' AS key, window, CAST(errors AS DOUBLE) AS value, 1.0 - 10.0 / (2.0 * errors) AS score
FROM (SELECT session(INTERVAL '1 minute') AS window, count(*) AS errors FROM apache_log WHERE status >= 500 GROUP BY window) AS bursts
WHERE errors >= 10
