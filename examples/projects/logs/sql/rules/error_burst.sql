-- name = "error_burst"
-- severity = "critical"
-- description = "A service writes many errors in a short time"
-- owner = "team"
-- runbook = "docs/runbooks.md#error_burst"
-- tags = ["errors"]
-- dedup = "1 hour"
--
-- [parameters.window]
-- type = "interval"
-- default = "5 minutes"
--
-- [parameters.most]
-- type = "integer"
-- default = 10
-- min = 1
-- description = "more errors of one service in a window are an anomaly"

SELECT
  key,
  window,
  CAST(n AS DOUBLE) AS value,
  CAST(${most} AS DOUBLE) AS expected,
  0.5 AS score,
  last_message
FROM (
  SELECT
    service AS key,
    tumble(${window}) AS window,
    count(*) AS n,
    last_value(msg ORDER BY event_time) AS last_message
  FROM lines
  WHERE level = 'error'
  GROUP BY service, window
) AS windows
WHERE n > ${most}
