-- name = "rule_name"
-- severity = "warning"
-- description = "A source sends too many events in a window"
-- owner = "platform"
-- runbook = "docs/runbooks.md#rule_name"
-- tags = []
-- dedup = "1 hour"
-- stage = "shadow"
--
-- # The header is TOML: severity is info, warning or critical; one alert a key comes in each dedup period; a rule at stage shadow
-- # is stored and alerts nobody, at stage active it alerts. What stands below can be set for each environment without a change here.
--
-- [parameters.window]
-- type = "interval"
-- default = "5 minutes"
--
-- [parameters.most]
-- type = "integer"
-- default = 100
-- min = 1
-- description = "events of one source in a window"

-- key is what alerts are grouped by: here a whole source. Further fields of an event are in `event` as JSON, so that
-- `WHERE event ->> 'level' = 'error'` counts only errors (decode = "tolerant").
SELECT
  key,
  window,
  CAST(n AS DOUBLE) AS value,
  CAST(${most} AS DOUBLE) AS expected,
  0.5 AS score
FROM (
  SELECT source AS key, tumble(${window}) AS window, count(*) AS n
  FROM events
  GROUP BY source, window
) AS windows
WHERE n > ${most}
