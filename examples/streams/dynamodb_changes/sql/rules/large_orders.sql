-- name = "large_orders"
-- severity = "warning"
-- description = "An order of more than 5000."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/large_orders"

SELECT shop AS key, event_time, total AS value, 5000.0 AS expected, 0.9 AS score, order_id
FROM dynamodb_changes
WHERE total > 5000.0
