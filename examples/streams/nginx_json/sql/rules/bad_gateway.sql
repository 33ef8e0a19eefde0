-- name = "bad_gateway"
-- severity = "warning"
-- description = "More than a third of at least five answers in a minute are 500 and above."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/bad_gateway"

SELECT 'nginx' AS key, window, 1.0 * errors / answers AS value, 0.33 AS expected, 1.0 * errors / answers AS score, answers
FROM (
  SELECT tumble(INTERVAL '1 minute') AS window, count(*) AS answers, count(*) FILTER (WHERE status >= 500) AS errors
  FROM nginx_json
  GROUP BY window
) AS minutes
WHERE answers >= 5 AND 3 * errors > answers
