-- name = "robust_zscore"
-- severity = "warning"
-- description = "A reading far from the median of its window, in robust standard deviations (median absolute deviation)"
-- owner = "platform"
-- runbook = "docs/runbooks.md#robust_zscore"
-- tags = ["spike", "statistics"]
-- dedup = "6 hours"
-- stage = "off"
--
-- [parameters.step]
-- type = "interval"
-- default = "5 minutes"
-- description = "how often to look; at most the time between two readings, or readings are passed over"
--
-- [parameters.window]
-- type = "interval"
-- default = "6 hours"
-- description = "what the newest reading is compared with; a multiple of step, short against any season. All its readings are kept"
--
-- [parameters.deviations]
-- type = "double"
-- default = 6.0
-- min = 1.0
--
-- [parameters.least_count]
-- type = "integer"
-- default = 30
-- min = 4
-- description = "readings that the window must hold"
--
-- [parameters.least_deviation]
-- type = "double"
-- default = 0.001
-- min = 0.0
-- description = "a deviation under this share of the median counts as this share: a flat series is no reason to alert on a hair"
--
-- [sampling]
-- least = "least_count"
-- over = "window"
-- by = "series"
--
-- [band]
-- deviation = "deviation"
-- times = "deviations"

-- The median absolute deviation needs two passes: the window's readings become an array, its median is known, and the array
-- becomes rows again, each with its distance from the median. Quartiles spare most windows the second pass: at least one of
-- them is nearer to the median than, or as near as, the median absolute deviation. 1.4826 makes that a standard deviation.
-- `concat(key, '')`: the planner knows that key and window name one row, does not see that unnest makes many of it, and would
-- group by every column. A computed key is a new one to it.
SELECT
  key,
  window,
  newest AS value,
  middle AS expected,
  1.0 - ${deviations} / (2.0 * z) AS score,
  z,
  deviation,
  readings
FROM (
  SELECT key, window, newest, middle, deviation, readings, abs(newest - middle) / deviation AS z
  FROM (
    SELECT
      key,
      window,
      max(newest) AS newest,
      max(middle) AS middle,
      count(*) AS readings,
      greatest(1.4826 * median(distance), ${least_deviation} * abs(max(middle)), 1e-9) AS deviation
    FROM (
      SELECT key, window, newest, middle, abs(reading - middle) AS distance
      FROM (
        SELECT concat(key, '') AS key, window, newest, middle, unnest(sorted) AS reading
        FROM (
          SELECT key, window, newest, sorted, (sorted[(n + 1) / 2] + sorted[n / 2 + 1]) / 2.0 AS middle,
            sorted[(n + 3) / 4] AS lower, sorted[n - (n + 3) / 4 + 1] AS upper
          FROM (
            SELECT key, window, newest, n, array_sort(readings) AS sorted
            FROM (
              SELECT
                series AS key,
                hop(${step}, ${window}) AS window,
                array_agg(value) AS readings,
                count(*) AS n,
                last_value(value ORDER BY event_time) AS newest,
                max(event_time) AS newest_time
              FROM events
              GROUP BY series, window
            ) AS windows
            WHERE n >= ${least_count} AND newest_time >= window.end - ${step}
          ) AS sorted_windows
        ) AS quartiles
        WHERE abs(newest - middle) > ${deviations} * 1.4826 * least(middle - lower, upper - middle)
      ) AS candidates
    ) AS distances
    GROUP BY key, window
  ) AS deviations
) AS scored
WHERE z > ${deviations}
