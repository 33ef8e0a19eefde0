-- name = "zscore"
-- severity = "warning"
-- description = "A reading far from the mean of the window before it, in standard deviations"
-- owner = "platform"
-- runbook = "docs/runbooks.md#zscore"
-- tags = ["spike", "statistics"]
-- dedup = "6 hours"
--
-- [parameters.step]
-- type = "interval"
-- default = "5 minutes"
-- description = "how often to look; at most the time between two readings, or readings are passed over"
--
-- [parameters.window]
-- type = "interval"
-- default = "1 day"
-- description = "what the newest reading is compared with; a multiple of step"
--
-- [parameters.deviations]
-- type = "double"
-- default = 5.0
-- min = 1.0
--
-- [parameters.least_count]
-- type = "integer"
-- default = 30
-- min = 4
-- description = "readings that the window must hold beside the newest"
--
-- [parameters.least_deviation]
-- type = "double"
-- default = 0.001
-- min = 0.0
-- description = "a standard deviation under this share of the mean counts as this share: a flat series is no reason to alert on a hair"

-- The newest reading is taken out of its own mean and deviation. With n readings of mean m and variance v, and the newest x,
-- the others have mean m' = (n m - x) / (n - 1) and squares M' = (n - 1) v - (x - m)(x - m').
SELECT
  key,
  window,
  newest AS value,
  others_mean AS expected,
  1.0 - ${deviations} / (2.0 * z) AS score,
  z,
  others_deviation AS deviation,
  n - 1 AS readings
FROM (
  SELECT *, abs(newest - others_mean) / others_deviation AS z
  FROM (
    SELECT
      key, window, n, newest, others_mean,
      greatest(
        sqrt(greatest((n - 1) * variance - (newest - mean) * (newest - others_mean), 0.0) / (n - 2)),
        ${least_deviation} * abs(others_mean),
        1e-9) AS others_deviation
    FROM (
      SELECT key, window, n, mean, variance, newest, newest_time, (n * mean - newest) / (n - 1) AS others_mean
      FROM (
        SELECT
          series AS key,
          hop(${step}, ${window}) AS window,
          count(*) AS n,
          avg(value) AS mean,
          var(value) AS variance,
          last_value(value ORDER BY event_time) AS newest,
          max(event_time) AS newest_time
        FROM events
        GROUP BY series, window
      ) AS windows
      WHERE n > ${least_count} AND newest_time >= window.end - ${step}
    ) AS leave_one_out
  ) AS deviations
) AS scored
WHERE z > ${deviations}
