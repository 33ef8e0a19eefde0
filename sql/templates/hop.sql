-- name = "{{name}}"
-- severity = "warning"
-- description = "The newest step of a series is far from the steps before it"
-- owner = "platform"
-- runbook = "docs/runbooks.md#{{name}}"
-- tags = ["statistics"]
-- dedup = "6 hours"
-- stage = "shadow"
--
-- [parameters.step]
-- type = "interval"
-- default = "5 minutes"
-- description = "how often to look, and the length of a step"
--
-- [parameters.window]
-- type = "interval"
-- default = "6 hours"
-- description = "the newest step and those that it is compared with; a multiple of step"
--
-- [parameters.deviations]
-- type = "double"
-- default = 5.0
-- min = 1.0
-- description = "how many standard deviations are far"
--
-- [parameters.least_steps]
-- type = "integer"
-- default = 12
-- min = 3
-- description = "steps with data that there must be before the newest"
--
-- [parameters.least_deviation]
-- type = "double"
-- default = 0.001
-- min = 0.0
-- description = "a deviation under this share of the mean counts as this share"

-- A hop window slides: every step it looks back over the whole window. From the inside out: a mean for each step (bucket), then the
-- newest step beside all earlier ones, then how far it is from them. The newest is left out of what it is compared with.
-- Set stage = "active" once a backtest shows what the rule would have said.
SELECT
  key,
  window,
  newest AS value,
  earlier AS expected,
  -- From 0 to 1: one half at the limit.
  1.0 - ${deviations} / (2.0 * z) AS score,
  z,
  deviation
FROM (
  SELECT key, window, newest, earlier, deviation, abs(newest - earlier) / deviation AS z
  FROM (
    SELECT
      key, window, newest, earlier, steps,
      -- Floors keep a flat series from alerting on a hair.
      greatest(spread, ${least_deviation} * abs(earlier), 1e-9) AS deviation
    FROM (
      SELECT
        key,
        window,
        max(mean) FILTER (WHERE bucket = window.end - ${step}) AS newest,
        avg(mean) FILTER (WHERE bucket < window.end - ${step}) AS earlier,
        stddev(mean) FILTER (WHERE bucket < window.end - ${step}) AS spread,
        count(*) FILTER (WHERE bucket < window.end - ${step}) AS steps
      FROM (
        SELECT
          series AS key,
          hop(${step}, ${window}) AS window,
          date_bin(${step}, event_time) AS bucket,
          avg(value) AS mean
        FROM events
        GROUP BY series, window, bucket
      ) AS buckets
      GROUP BY key, window
    ) AS compared
    WHERE newest IS NOT NULL AND steps >= ${least_steps}
  ) AS judged
) AS scored
WHERE z > ${deviations}
