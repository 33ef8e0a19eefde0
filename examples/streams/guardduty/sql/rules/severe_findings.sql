-- name = "severe_findings"
-- severity = "critical"
-- description = "A finding of severity 7 and above."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/severe_findings"

SELECT instance_id AS key, event_time, severity AS value, 7.0 AS expected, 0.9 AS score, type
FROM guardduty
WHERE severity >= 7.0
