-- name = "rate_of_change"
-- severity = "warning"
-- description = "A metric rises or falls faster than it can"
-- owner = "platform"
-- runbook = "docs/runbooks.md#rate_of_change"
-- tags = ["threshold", "speed"]
-- dedup = "6 hours"
--
-- [parameters.metric]
-- type = "text"
-- default = "temperature"
-- description = "the metric that the limit is for"
--
-- [parameters.most_per_hour]
-- type = "double"
-- default = 8.0
-- min = 0.0
-- description = "the fastest change that is still fine, up or down, in the metric's unit per hour"
--
-- [parameters.step]
-- type = "interval"
-- default = "1 hour"
-- description = "the median of a step's readings is compared, so that one wild reading is no change"
--
-- [parameters.window]
-- type = "interval"
-- default = "2 hours"
-- description = "the newest step is compared with the oldest of the window; a multiple of step, at least two"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 3
-- min = 1
-- description = "readings that both steps must hold"
--
-- [sampling]
-- least = "least_count"
-- over = "step"
-- by = "series"

-- One hop window holds both steps as buckets; grouping the buckets of a window again puts them side by side.
SELECT
  key,
  window,
  newest AS value,
  oldest AS expected,
  1.0 - ${most_per_hour} / (2.0 * rate) AS score,
  (newest - oldest) / hours AS change_per_hour
FROM (
  SELECT key, window, newest, oldest, hours, abs(newest - oldest) / hours AS rate
  FROM (
    SELECT
      key,
      window,
      newest,
      oldest,
      (CAST(window.end - ${step} AS BIGINT) - CAST(window.start AS BIGINT)) / 3.6e12 AS hours
    FROM (
      SELECT
        key,
        window,
        max(middle) FILTER (WHERE bucket = window.start) AS oldest,
        max(middle) FILTER (WHERE bucket = window.end - ${step}) AS newest,
        max(n) FILTER (WHERE bucket = window.start) AS oldest_count,
        max(n) FILTER (WHERE bucket = window.end - ${step}) AS newest_count
      FROM (
        SELECT
          series AS key,
          hop(${step}, ${window}) AS window,
          date_bin(${step}, event_time) AS bucket,
          median(value) AS middle,
          count(*) AS n
        FROM events
        WHERE metric = ${metric}
        GROUP BY series, window, bucket
      ) AS buckets
      GROUP BY key, window
    ) AS ends
    WHERE oldest_count >= ${least_count} AND newest_count >= ${least_count}
  ) AS spans
) AS rates
WHERE rate > ${most_per_hour}
