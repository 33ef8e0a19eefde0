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
--
-- [sampling]
-- least = "least_count"
-- over = "window"
-- by = "series"
--
-- [band]
-- deviation = "deviation"
-- times = "deviations"

-- weir: allow(division-by-zero) the divisor is a twelfth of a window, and no interval is zero
-- The window is cut into twelve parts. Mean and variance come by the law of total variance: that within the parts and that
-- between their means. The newest reading is taken out of its part: with n readings of mean m and variance v, and the newest x,
-- the others have mean m - (x - m) / (n - 1) and squares n v - n (x - m) (x - m) / (n - 1).
-- A part is owned by one reading when without it the squares are less than a tenth. The newest part is left out when it is
-- owned, others when one or two of them are: one wild reading must not hide the next. More are how the series is.
SELECT
  key,
  window,
  newest AS value,
  mean AS expected,
  1.0 - ${deviations} / (2.0 * z) AS score,
  z,
  deviation,
  readings
FROM (
  SELECT key, window, newest, mean, deviation, readings, abs(newest - mean) / deviation AS z
  FROM (
    SELECT
      key, window, newest, readings,
      CASE WHEN owned <= 2 THEN usual_mean ELSE mean END AS mean,
      greatest(
        sqrt(CASE WHEN owned <= 2 THEN usual_variance ELSE variance END),
        ${least_deviation} * abs(CASE WHEN owned <= 2 THEN usual_mean ELSE mean END),
        1e-9) AS deviation
    FROM (
      SELECT
        key,
        window,
        last_value(newest ORDER BY newest_time) AS newest,
        max(newest_time) AS newest_time,
        avg(mean) AS mean,
        avg(variance) + var_pop(mean) AS variance,
        avg(mean) FILTER (WHERE NOT owned) AS usual_mean,
        avg(variance) FILTER (WHERE NOT owned) + var_pop(mean) FILTER (WHERE NOT owned) AS usual_variance,
        count(*) FILTER (WHERE owned) AS owned,
        sum(n) - 1 AS readings
      FROM (
        SELECT
          key, window, n, newest, newest_time,
          owned AND newest_time < window.end - ${step} AS owned,
          CASE WHEN newest_time < window.end - ${step} THEN mean WHEN n > 1 AND NOT owned THEN mean - (newest - mean) / (n - 1) END
            AS mean,
          CASE WHEN newest_time < window.end - ${step} THEN variance
            WHEN n > 1 AND NOT owned
            THEN greatest(n * variance - n * (newest - mean) * (newest - mean) / (n - 1), 0.0) / (n - 1) END AS variance
        FROM (
          SELECT
            key, window, n, mean, variance, newest, newest_time,
            isnan(variance) OR (n >= 4 AND variance > 0.0
              AND greatest(highest - mean, mean - lowest) * greatest(highest - mean, mean - lowest) >= 0.9 * (n - 1) * variance)
              AS owned
          FROM (
            SELECT
              series AS key,
              hop(${step}, ${window}) AS window,
              CAST(event_time AS BIGINT) / (CAST(TIMESTAMP '1970-01-01 00:00:00' + ${window} AS BIGINT) / 12) AS part,
              count(*) AS n,
              avg(value) AS mean,
              var_pop(value) AS variance,
              max(value) AS highest,
              min(value) AS lowest,
              last_value(value ORDER BY event_time) AS newest,
              max(event_time) AS newest_time
            FROM events
            GROUP BY series, window, part
          ) AS parts
        ) AS judged
      ) AS others
      GROUP BY key, window
    ) AS windows
    WHERE readings >= ${least_count} AND newest_time >= window.end - ${step}
  ) AS deviations
) AS scored
WHERE z > ${deviations} AND NOT isnan(z)
