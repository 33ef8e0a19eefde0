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

-- One row an anomaly. A rule over single records says so by event_time; every further column becomes a detail.
SELECT
  merchant AS key,
  event_time,
  amount AS value,
  ${most} AS expected,
  0.6 AS score,
  card
FROM payments
WHERE amount > ${most}
