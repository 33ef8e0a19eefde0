-- name = "flat_line"
-- severity = "warning"
-- description = "A series that always moved stands still: a stuck sensor keeps sending its last reading"
-- owner = "platform"
-- runbook = "docs/runbooks.md#flat_line"
-- tags = ["sensor", "silence"]
-- dedup = "1 day"
--
-- [parameters.step]
-- type = "interval"
-- default = "30 minutes"
-- description = "how often to look"
--
-- [parameters.flat]
-- type = "interval"
-- default = "2 hours"
-- description = "how long a series must stand still; a multiple of step"
--
-- [parameters.window]
-- type = "interval"
-- default = "8 hours"
-- description = "flat, and the time before it in which the series must have moved; a multiple of step"
--
-- [parameters.share]
-- type = "double"
-- default = 0.01
-- min = 0.0
-- max = 1.0
-- description = "a spread up to this share of the spread before counts as standing still"
--
-- [parameters.moving]
-- type = "double"
-- default = 0.8
-- min = 0.0
-- max = 1.0
-- description = "the share of earlier steps in which the series must have moved: one that often stands still by itself never alerts"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 12
-- min = 2
-- description = "readings that the flat part must hold"
--
-- [sampling]
-- least = "least_count"
-- over = "flat"
-- by = "series"

-- The usual spread is taken between steps: the widest twelfth or so of them, above and below, is left out, and at least one of
-- each. So one wild reading is not what the series usually does.
SELECT
  key,
  window,
  level AS value,
  1.0 - spread / usual_spread AS score,
  spread,
  usual_spread,
  readings
FROM (
  SELECT
    key, window, level, spread, readings, moved, steps,
    highs[steps - greatest(steps / 12, 1)] - lows[1 + greatest(steps / 12, 1)] AS usual_spread
  FROM (
    SELECT
      key,
      window,
      max(highest) FILTER (WHERE bucket >= window.end - ${flat}) AS level,
      max(highest) FILTER (WHERE bucket >= window.end - ${flat})
        - min(lowest) FILTER (WHERE bucket >= window.end - ${flat}) AS spread,
      array_sort(array_agg(highest) FILTER (WHERE bucket < window.end - ${flat})) AS highs,
      array_sort(array_agg(lowest) FILTER (WHERE bucket < window.end - ${flat})) AS lows,
      sum(n) FILTER (WHERE bucket >= window.end - ${flat}) AS readings,
      count(*) FILTER (WHERE bucket < window.end - ${flat} AND highest > lowest) AS moved,
      count(*) FILTER (WHERE bucket < window.end - ${flat}) AS steps
    FROM (
      SELECT
        series AS key,
        hop(${step}, ${window}) AS window,
        date_bin(${step}, event_time) AS bucket,
        max(value) AS highest,
        min(value) AS lowest,
        count(*) AS n
      FROM events
      GROUP BY series, window, bucket
    ) AS buckets
    GROUP BY key, window
  ) AS measured
) AS parts
WHERE readings >= ${least_count} AND usual_spread > 0.0 AND spread <= ${share} * usual_spread
  AND moved >= ${moving} * steps AND moved >= 2
