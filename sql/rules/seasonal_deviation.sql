-- name = "seasonal_deviation"
-- severity = "warning"
-- description = "A series is not what it was at the same time on earlier days"
-- owner = "platform"
-- runbook = "docs/runbooks.md#seasonal_deviation"
-- tags = ["statistics", "seasonal"]
-- dedup = "1 day"
-- stage = "shadow"
--
-- [parameters.step]
-- type = "interval"
-- default = "1 hour"
-- description = "readings of a step are averaged; a part of season"
--
-- [parameters.season]
-- type = "interval"
-- default = "1 day"
-- description = "the length after which a series repeats itself"
--
-- [parameters.window]
-- type = "interval"
-- default = "4 days"
-- description = "the seasons that are compared; a multiple of season, at least three. A season of a week needs a window of three weeks"
--
-- [parameters.deviations]
-- type = "double"
-- default = 7.0
-- min = 1.0
-- description = "of a step's mean, from season to season"
--
-- [parameters.least_seasons]
-- type = "integer"
-- default = 3
-- min = 2
-- description = "earlier seasons that must hold the step"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 3
-- min = 1
-- description = "readings that the newest step must hold"
--
-- [parameters.least_deviation]
-- type = "double"
-- default = 0.001
-- min = 0.0
-- description = "a deviation under this share of the mean counts as this share"
--
-- [sampling]
-- least = "least_count"
-- over = "step"
-- by = "series"
--
-- [band]
-- deviation = "deviation"
-- times = "deviations"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- A step is compared with the median of its earlier seasons. They are few, too few to tell a deviation from. So the deviation
-- is that of all steps of the window together, each around its own mean, but for the widest twelfth of the steps: there a wild
-- reading may be, or something that comes and goes. Those steps are judged by their own deviation.
SELECT
  key,
  window,
  newest AS value,
  earlier AS expected,
  1.0 - ${deviations} / (2.0 * z) AS score,
  z,
  deviation
FROM (
  SELECT key, window, newest, earlier, deviation, abs(newest - earlier) / deviation AS z
  FROM (
    SELECT
      key,
      window,
      max(newest) AS newest,
      max(earlier) FILTER (WHERE newest IS NOT NULL) AS earlier,
      max(seasons) FILTER (WHERE newest IS NOT NULL) AS seasons,
      max(readings) AS readings,
      greatest(
        sqrt(coalesce(avg(variance) FILTER (WHERE twelfth > 1), avg(variance))),
        sqrt(max(variance) FILTER (WHERE twelfth = 1 AND newest IS NOT NULL)),
        ${least_deviation} * abs(median(earlier)),
        1e-9) AS deviation
    FROM (
      SELECT key, window, newest, readings, earlier, variance, seasons, ntile(12) OVER (PARTITION BY window, key ORDER BY variance DESC NULLS LAST) AS twelfth
      FROM (
        SELECT
          key,
          window,
          slot,
          max(mean) FILTER (WHERE bucket = window.end - ${step}) AS newest,
          max(n) FILTER (WHERE bucket = window.end - ${step}) AS readings,
          median(mean) FILTER (WHERE bucket < window.end - ${step}) AS earlier,
          var(mean) FILTER (WHERE bucket < window.end - ${step}) AS variance,
          count(*) FILTER (WHERE bucket < window.end - ${step}) AS seasons
        FROM (
          SELECT key, window, bucket, CAST(bucket AS BIGINT) - CAST(date_bin(${season}, bucket) AS BIGINT) AS slot, mean, n
          FROM (
            SELECT
              series AS key,
              hop(${step}, ${window}) AS window,
              date_bin(${step}, event_time) AS bucket,
              avg(value) AS mean,
              count(*) AS n
            FROM events
            GROUP BY series, window, bucket
          ) AS buckets
        ) AS slotted
        GROUP BY key, window, slot
      ) AS slots
    ) AS ranked
    GROUP BY key, window
  ) AS seasons
  WHERE readings >= ${least_count} AND seasons >= ${least_seasons}
) AS scored
WHERE z > ${deviations}
