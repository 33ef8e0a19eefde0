-- name = "{{name}}"
-- severity = "warning"
-- description = "The mean of a series over a window is above a limit"
-- owner = "platform"
-- runbook = "docs/runbooks.md#{{name}}"
-- tags = ["threshold", "mean"]
-- dedup = "1 hour"
-- stage = "shadow"
--
-- [parameters.window]
-- type = "interval"
-- default = "5 minutes"
-- description = "readings of a window are averaged, so that one noisy reading is no anomaly"
--
-- [parameters.limit]
-- type = "double"
-- default = 90.0
-- min = 1e-9
-- description = "a mean above it is an anomaly"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 3
-- min = 1
-- description = "readings that a window must hold"

-- Tumbling windows lie side by side; each speaks once, when the watermark has passed its end. The inner SELECT aggregates, the
-- outer one judges. Set stage = "active" once a backtest shows what the rule would have said.
SELECT
  key,
  -- A windowed rule returns `window`: key and window make the anomaly one thing.
  window,
  mean AS value,
  ${limit} AS expected,
  -- From 0 to 1: one half at the limit.
  1.0 - ${limit} / (2.0 * mean) AS score,
  -- Further columns become details.
  highest,
  readings
FROM (
  SELECT
    series AS key,
    tumble(${window}) AS window,
    avg(value) AS mean,
    max(value) AS highest,
    count(*) AS readings
  FROM events
  GROUP BY series, window
) AS windows
-- A floor under the count keeps windows with hardly any data quiet.
WHERE readings >= ${least_count} AND mean > ${limit}
