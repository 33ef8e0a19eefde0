-- name = "forecast_residual"
-- severity = "warning"
-- description = "A reading far from what its series forecasts, judged by the tail of how far the past was"
-- owner = "platform"
-- runbook = "docs/runbooks.md#forecast_residual"
-- tags = ["unsupervised", "udf"]
-- dedup = "6 hours"
-- stage = "off"
--
-- [parameters.step]
-- type = "interval"
-- default = "5 minutes"
-- description = "how often to look; the usual time between two readings of a series"
--
-- [parameters.window]
-- type = "interval"
-- default = "10500 minutes"
-- description = "what the newest reading is forecast from: the newest 2000 readings of it; a multiple of step"
--
-- [parameters.threshold]
-- type = "double"
-- default = 0.5
-- min = 0.0
-- max = 1.0
-- description = "the least score that is reported; 0.5 stands for a surprise of 4.5"
--
-- [band]
-- lower = "lower"
-- upper = "upper"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- The cheaper half of the rule `surprise`, for large fleets: the same function without the search for a similar stretch. A
-- surprise of 4.5 scores one half. `lower` and `upper` are the forecast's band: one reading in a thousand lies outside.
SELECT
  key,
  window,
  newest AS value,
  expected,
  score,
  surprise,
  lower,
  upper,
  readings
FROM (
  SELECT *, surprise / (surprise + 4.5) AS score
  FROM (
    SELECT
      key,
      window,
      newest,
      readings,
      CAST(split_part(verdict, ' ', 1) AS DOUBLE) AS surprise,
      CAST(split_part(verdict, ' ', 4) AS DOUBLE) AS expected,
      CAST(split_part(verdict, ' ', 5) AS DOUBLE) AS lower,
      CAST(split_part(verdict, ' ', 6) AS DOUBLE) AS upper
    FROM (
      SELECT
        series AS key,
        hop(${step}, ${window}) AS window,
        surprise_verdict(CAST(event_time AS BIGINT), value, CAST(0 AS BIGINT)) AS verdict,
        last_value(value ORDER BY event_time) AS newest,
        max(event_time) AS newest_time,
        count(*) AS readings
      FROM events
      GROUP BY series, window
    ) AS windows
    WHERE verdict IS NOT NULL AND newest_time >= window.end - ${step}
  ) AS verdicts
) AS scored
WHERE score >= ${threshold} AND score > 0.0
