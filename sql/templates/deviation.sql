-- name = "rule_name"
-- severity = "warning"
-- description = "A reading far from the mean of the window before it, in standard deviations"
-- owner = "platform"
-- runbook = "docs/runbooks.md#rule_name"
-- tags = []
-- dedup = "1 hour"
-- stage = "shadow"
--
-- # The header is TOML: severity is info, warning or critical; one alert a key comes in each dedup period; a rule at stage shadow
-- # is stored and alerts nobody, at stage active it alerts. What stands below can be set for each environment without a change here.
--
-- [parameters.step]
-- type = "interval"
-- default = "1 minute"
-- description = "how often to look; at most the time between two readings"
--
-- [parameters.window]
-- type = "interval"
-- default = "1 hour"
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
-- default = 0.1
-- min = 0.0
-- description = "a smaller standard deviation counts as this: a flat series is no reason to alert on a hair"
--
-- [sampling]
-- least = "least_count"
-- over = "window"
-- by = "series"
--
-- [band]
-- deviation = "deviation"
-- times = "deviations"

-- A hop window looks back over `window` at each `step`. The newest reading is taken out of the mean and the deviation that it is
-- judged by. `[band]` names what `weir backtest --plot` draws.
SELECT
  key,
  window,
  newest AS value,
  mean AS expected,
  1.0 - ${deviations} / (2.0 * z) AS score,
  z,
  deviation
FROM (
  SELECT key, window, newest, mean, deviation, abs(newest - mean) / deviation AS z
  FROM (
    SELECT
      key, window, newest, (n * all_mean - newest) / (n - 1) AS mean,
      greatest(
        sqrt(greatest((n - 1) * variance - (newest - all_mean) * (newest - (n * all_mean - newest) / (n - 1)), 0.0) / (n - 2)),
        ${least_deviation}, 1e-9) AS deviation
    FROM (
      SELECT
        series AS key,
        hop(${step}, ${window}) AS window,
        count(*) AS n,
        avg(value) AS all_mean,
        var(value) AS variance,
        last_value(value ORDER BY event_time) AS newest,
        max(event_time) AS newest_time
      FROM events
      GROUP BY series, window
    ) AS windows
    WHERE n > ${least_count} AND newest_time >= window.end - ${step}
  ) AS others
) AS scored
WHERE z > ${deviations}
