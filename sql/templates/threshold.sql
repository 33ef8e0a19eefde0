-- name = "{{name}}"
-- severity = "warning"
-- description = "A reading above a fixed limit"
-- owner = "platform"
-- runbook = "docs/runbooks.md#{{name}}"
-- tags = ["threshold"]
-- dedup = "1 hour"
-- stage = "shadow"
--
-- [parameters.metric]
-- type = "text"
-- default = "temperature"
-- description = "the metric that is watched"
--
-- [parameters.limit]
-- type = "double"
-- default = 90.0
-- min = 1e-9
-- description = "a reading above it is an anomaly"

-- A rule over single events: it speaks at once, and keeps no state. Above is the header, TOML in comments: name the owner, say in the
-- runbook what to do, and set stage = "active" once a backtest shows what the rule would have said. ${name} is a parameter; an
-- environment may set it.
SELECT
  -- What is anomalous. `series` is source/metric; one alert a key and dedup period.
  series AS key,
  -- When. An event's time (with `event_id` beside it) makes the anomaly one thing, however often it is replayed.
  event_time,
  id AS event_id,
  -- What was seen, and what should have been.
  value,
  ${limit} AS expected,
  -- How unusual, from 0 to 1: one half at the limit, three quarters at twice the limit.
  1.0 - ${limit} / (2.0 * value) AS score,
  -- Every further column becomes a detail of the anomaly.
  source
FROM events
WHERE metric = ${metric} AND value > ${limit}
