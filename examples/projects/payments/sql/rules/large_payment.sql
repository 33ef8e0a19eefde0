-- name = "large_payment"
-- severity = "warning"
-- description = "One payment far above what is usual"
-- owner = "team"
-- runbook = "docs/runbooks.md#large_payment"
-- tags = ["fraud"]
-- dedup = "1 hour"
--
-- [parameters.most]
-- type = "double"
-- default = 2500.0
-- description = "a larger amount is an anomaly"

-- One row an anomaly. A rule over single events says so by event_time and event_id; every further column becomes a detail.
SELECT
  series AS key,
  event_time,
  id AS event_id,
  value,
  ${most} AS expected,
  0.6 AS score,
  event ->> 'card' AS card
FROM events
WHERE metric = 'amount' AND value > ${most}
