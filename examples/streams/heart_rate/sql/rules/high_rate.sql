-- name = "high_rate"
-- severity = "warning"
-- description = "A heart that beats more than 150 times a minute."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/high_rate"

SELECT rate_type AS key, event_time, heart_rate AS value, 150.0 AS expected, 0.9 AS score
FROM heart_rate
WHERE heart_rate > 150.0
