-- name = "damp_room"
-- severity = "warning"
-- description = "A room is damp for half an hour"
-- owner = "team"
-- runbook = "docs/runbooks.md#damp_room"
-- tags = ["climate"]
-- dedup = "6 hours"
--
-- [parameters.window]
-- type = "interval"
-- default = "30 minutes"
--
-- [parameters.most]
-- type = "double"
-- default = 75.0
-- description = "a mean relative humidity above it is an anomaly, in percent"

-- Windows that follow one another: GROUP BY the key and the window, then filter outside. One row is one anomaly.
SELECT
  key,
  window,
  mean AS value,
  ${most} AS expected,
  0.5 AS score,
  readings
FROM (
  SELECT device AS key, tumble(${window}) AS window, avg(humidity) AS mean, count(*) AS readings
  FROM climate
  GROUP BY device, window
) AS windows
WHERE mean > ${most}
