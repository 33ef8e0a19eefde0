-- name = "busy_host"
-- severity = "warning"
-- description = "A host whose CPU is used by more than 90 %."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/busy_host"

SELECT host_name AS key, event_time, value AS value, 0.9 AS expected, 0.9 AS score, service_name, cpu
FROM otlp_metrics
WHERE metrics_name = 'system.cpu.utilization' AND value > 0.9
