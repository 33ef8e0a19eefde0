-- name = "busy_instance"
-- severity = "warning"
-- description = "An instance whose CPU is busy by more than 90 % on average over a minute."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/busy_instance"

SELECT instance_id AS key, event_time, sum / count AS value, 90.0 AS expected, 0.9 AS score, max
FROM metric_stream
WHERE metric_name = 'CPUUtilization' AND sum / count > 90.0
