-- name = "static_threshold"
-- severity = "critical"
-- description = "A reading outside fixed limits"
-- owner = "platform"
-- runbook = "docs/runbooks.md#static_threshold"
-- tags = ["threshold"]
-- dedup = "1 hour"
--
-- [parameters.metric]
-- type = "text"
-- default = "temperature"
-- description = "the metric that the limits are for"
--
-- [parameters.low]
-- type = "double"
-- default = -40.0
--
-- [parameters.high]
-- type = "double"
-- default = 90.0

-- The score grows with the distance from the limit, in units of the allowed range.
SELECT
  series AS key,
  event_time,
  id AS event_id,
  value,
  CASE WHEN value > ${high} THEN ${high} ELSE ${low} END AS expected,
  0.5 + (CASE WHEN value > ${high} THEN value - ${high} ELSE ${low} - value END) / (${high} - ${low}) AS score,
  source,
  metric
FROM events
WHERE metric = ${metric} AND (value > ${high} OR value < ${low})
