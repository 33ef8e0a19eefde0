-- name = "surprise"
-- severity = "warning"
-- description = "A reading that the past of its series neither forecasts nor has a stretch like, judged by the tail of that past"
-- owner = "platform"
-- runbook = "docs/runbooks.md#surprise"
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
-- default = "16000 minutes"
-- description = "what the newest reading is compared with: the newest 3012 readings of it; a multiple of step"
--
-- [parameters.threshold]
-- type = "double"
-- default = 0.5
-- min = 0.0
-- max = 1.0
-- description = "the least score that is reported; 0.5 stands for a surprise of 8.4"
--
-- [band]
-- lower = "lower"
-- upper = "upper"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- The function looks at the readings of the window, in order of time, and judges the newest (sql/udfs/surprise_verdict.rs): how
-- far it is from its forecast, and how far the stretch that it ends is from all stretches before. A surprise of 8.4 scores one
-- half, and none ever quite scores 1. `lower` and `upper` are the forecast's band: one reading in a thousand lies outside.
SELECT
  key,
  window,
  newest AS value,
  expected,
  score,
  part,
  CASE WHEN part = 'pattern' THEN 'no stretch of its past is like its last readings'
    ELSE 'it is far from where the readings before it lead' END AS reason,
  forecast,
  pattern,
  lower,
  upper,
  readings
FROM (
  SELECT
    *,
    CASE WHEN pattern > forecast THEN 'pattern' ELSE 'forecast' END AS part,
    (forecast + pattern) / (forecast + pattern + 8.4) AS score
  FROM (
    SELECT
      key,
      window,
      newest,
      readings,
      CAST(split_part(verdict, ' ', 2) AS DOUBLE) AS forecast,
      CAST(split_part(verdict, ' ', 3) AS DOUBLE) AS pattern,
      CAST(split_part(verdict, ' ', 4) AS DOUBLE) AS expected,
      CAST(split_part(verdict, ' ', 5) AS DOUBLE) AS lower,
      CAST(split_part(verdict, ' ', 6) AS DOUBLE) AS upper
    FROM (
      SELECT
        series AS key,
        hop(${step}, ${window}) AS window,
        surprise_verdict(CAST(event_time AS BIGINT), value, CAST(1 AS BIGINT)) AS verdict,
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
