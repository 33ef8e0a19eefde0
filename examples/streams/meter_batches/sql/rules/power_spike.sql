-- name = "power_spike"
-- severity = "warning"
-- description = "A meter that reads more than 5 kW."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/power_spike"

SELECT device_id AS key, event_time, watts AS value, 5000.0 AS expected, 0.9 AS score, firmware
FROM meter_batches
WHERE watts > 5000.0
