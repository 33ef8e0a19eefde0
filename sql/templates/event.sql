-- name = "rule_name"
-- severity = "warning"
-- description = "A reading outside fixed limits"
-- owner = "platform"
-- runbook = "docs/runbooks.md#rule_name"
-- tags = []
-- dedup = "1 hour"
-- stage = "shadow"
--
-- # The header is TOML: severity is info, warning or critical; one alert a key comes in each dedup period; a rule at stage shadow
-- # is stored and alerts nobody, at stage active it alerts. What stands below can be set for each environment without a change here.
--
-- [parameters.metric]
-- type = "text"
-- default = "temperature"
-- description = "the metric that the limits are for"
--
-- [parameters.low]
-- type = "double"
-- default = 0.0
--
-- [parameters.high]
-- type = "double"
-- default = 100.0

-- One row an anomaly. A rule over single events says so by event_time and event_id; key is what alerts are grouped by; score is
-- between 0 and 1; every further column becomes a detail.
SELECT
  series AS key,
  event_time,
  id AS event_id,
  value,
  CASE WHEN value > ${high} THEN ${high} ELSE ${low} END AS expected,
  0.5 AS score
FROM events
WHERE metric = ${metric} AND (value > ${high} OR value < ${low})
