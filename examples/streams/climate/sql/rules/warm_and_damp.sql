-- name = "warm_and_damp"
-- severity = "warning"
-- description = "A device that is warm and damp at once."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/warm_and_damp"

SELECT device AS key, event_time, temperature AS value, 25.0 AS expected, 0.9 AS score, humidity, battery
FROM climate
WHERE temperature > 25.0 AND humidity > 60.0
