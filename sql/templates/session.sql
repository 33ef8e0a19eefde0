-- name = "rule_name"
-- severity = "warning"
-- description = "Many events of a kind close together"
-- owner = "platform"
-- runbook = "docs/runbooks.md#rule_name"
-- tags = ["count", "session"]
-- dedup = "1 hour"
-- stage = "shadow"
--
-- [parameters.metric]
-- type = "text"
-- default = "error"
-- description = "the metric whose events are counted when their value is above zero"
--
-- [parameters.gap]
-- type = "interval"
-- default = "1 minute"
-- description = "events closer together than this belong to one session"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 20
-- min = 2
-- description = "events that make an anomaly"

-- A session is as long as its events keep coming. It speaks once it is over: when none came for `gap`.
-- Set stage = "active" once a backtest shows what the rule would have said.
SELECT
  key,
  window,
  n AS value,
  ${least_count} AS expected,
  -- From 0 to 1: one half at the limit.
  1.0 - ${least_count} / (2.0 * n) AS score,
  first_event,
  last_event
FROM (
  SELECT
    source AS key,
    session(${gap}) AS window,
    count(*) AS n,
    min(event_time) AS first_event,
    max(event_time) AS last_event
  FROM events
  WHERE metric = ${metric} AND value > 0.0
  GROUP BY source, window
) AS sessions
WHERE n >= ${least_count}
