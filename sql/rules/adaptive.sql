-- name = "adaptive"
-- severity = "warning"
-- description = "A reading unlike anything that the window of its series has shown: range, level, hour of day or pattern"
-- owner = "platform"
-- runbook = "docs/runbooks.md#adaptive"
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
-- default = "20000 minutes"
-- description = "what the newest reading is compared with: about 4000 readings; a multiple of step"
--
-- [parameters.threshold]
-- type = "double"
-- default = 0.5
-- min = 0.0
-- max = 1.0
-- description = "the least score that is reported; 0.5 stands for 2.5 % of the range beyond it"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- The function looks at all readings of the window, in order of time, and judges the newest (sql/udfs/adaptive_verdict.rs). Its
-- excess is in units of the range that the window has shown; 0.025 of it scores one half, and no excess ever quite scores 1.
SELECT
  key,
  window,
  newest AS value,
  TRY_CAST(split_part(verdict, ' ', 3) AS DOUBLE) AS expected,
  score,
  split_part(verdict, ' ', 2) AS part,
  excess,
  readings
FROM (
  SELECT key, window, newest, verdict, readings, excess, 1.0 - 0.025 / (excess + 0.025) AS score
  FROM (
    SELECT key, window, newest, verdict, readings, CAST(split_part(verdict, ' ', 1) AS DOUBLE) AS excess
    FROM (
      SELECT
        series AS key,
        hop(${step}, ${window}) AS window,
        adaptive_verdict(CAST(event_time AS BIGINT), value, CAST(extract(hour FROM timestamp) AS BIGINT)) AS verdict,
        last_value(value ORDER BY event_time) AS newest,
        max(event_time) AS newest_time,
        count(*) AS readings
      FROM events
      GROUP BY series, window
    ) AS windows
    WHERE verdict IS NOT NULL AND newest_time >= window.end - ${step}
  ) AS verdicts
) AS scored
WHERE score >= ${threshold}
