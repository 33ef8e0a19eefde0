-- name = "high_fare"
-- severity = "warning"
-- description = "A fare of more than 300 dollars."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/high_fare"

SELECT pickup_location_id AS key, event_time, fare_amount AS value, 300.0 AS expected, 0.9 AS score, trip_distance, trip_id
FROM taxi_trips
WHERE fare_amount > 300.0
