-- name = "level_shift"
-- severity = "warning"
-- description = "The level of a series in the newer half of a window differs from the older half"
-- owner = "platform"
-- runbook = "docs/runbooks.md#level_shift"
-- tags = ["level", "statistics"]
-- dedup = "1 day"
--
-- [parameters.half]
-- type = "interval"
-- default = "1 day"
-- description = "the length of each half; a multiple of any season in the data, or the season itself is found"
--
-- [parameters.window]
-- type = "interval"
-- default = "2 days"
-- description = "both halves: twice `half`"
--
-- [parameters.deviations]
-- type = "double"
-- default = 2.0
-- min = 0.1
--
-- [parameters.least_count]
-- type = "integer"
-- default = 20
-- min = 3
-- description = "readings that each half must hold"
--
-- [parameters.least_deviation]
-- type = "double"
-- default = 0.001
-- min = 0.0
-- description = "a deviation under this share of the older mean counts as this share"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- One hop window holds both halves as buckets; grouping the buckets of a window again puts them side by side.
SELECT
  key,
  window,
  newer AS value,
  older AS expected,
  1.0 - ${deviations} / (2.0 * shift) AS score,
  shift,
  deviation
FROM (
  SELECT key, window, older, newer, deviation, abs(newer - older) / deviation AS shift
  FROM (
    SELECT
      key, window, older, newer, least(older_count, newer_count) AS fewest,
      greatest(sqrt((older_variance + newer_variance) / 2.0), ${least_deviation} * abs(older), 1e-9) AS deviation
    FROM (
      SELECT
        key,
        window,
        max(mean) FILTER (WHERE bucket = window.start) AS older,
        max(mean) FILTER (WHERE bucket > window.start) AS newer,
        max(variance) FILTER (WHERE bucket = window.start) AS older_variance,
        max(variance) FILTER (WHERE bucket > window.start) AS newer_variance,
        max(n) FILTER (WHERE bucket = window.start) AS older_count,
        max(n) FILTER (WHERE bucket > window.start) AS newer_count
      FROM (
        SELECT
          series AS key,
          hop(${half}, ${window}) AS window,
          date_bin(${half}, event_time) AS bucket,
          avg(value) AS mean,
          var(value) AS variance,
          count(*) AS n
        FROM events
        GROUP BY series, window, bucket
      ) AS buckets
      GROUP BY key, window
    ) AS halves
  ) AS compared
  WHERE fewest >= ${least_count}
) AS shifts
WHERE shift > ${deviations}
