-- name = "rule_name"
-- severity = "warning"
-- description = "The mean of a window is too high"
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
-- default = "10 minutes"
--
-- [parameters.most]
-- type = "double"
-- default = 100.0
-- description = "a mean above it is an anomaly"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 5
-- min = 1
-- description = "readings that a window must hold to be judged"
--
-- [sampling]
-- least = "least_count"
-- over = "window"
-- by = "series"

-- One row an anomaly, from windows that follow one another: GROUP BY the key and the window, then filter outside. key is what
-- alerts are grouped by; score is between 0 and 1; every further column becomes a detail.
SELECT
  key,
  window,
  mean AS value,
  ${most} AS expected,
  0.5 AS score,
  readings
FROM (
  SELECT series AS key, tumble(${window}) AS window, avg(value) AS mean, count(*) AS readings
  FROM events
  GROUP BY series, window
) AS windows
WHERE readings >= ${least_count} AND mean > ${most}
