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
--
-- [sampling]
-- least = "least_count"
-- over = "half"
-- by = "series"
--
-- [band]
-- deviation = "deviation"
-- times = "deviations"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- weir: allow(division-by-zero) the divisor is a twelfth of a half, and no interval is zero
-- One hop window holds both halves, each cut into twelve parts; grouping them again puts the halves side by side. Mean and
-- variance of a half come by the law of total variance: that within the parts and that between their means. A part is owned by
-- one reading when without it the squared distances are less than a tenth. If one or two parts of a half are owned, they are
-- left out: one wild reading is no level, and must not hide one. Halves are not compared if one has far fewer parts: a day
-- with a gap is another piece of the season.
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
      least(older_parts, newer_parts) AS fewest_parts, greatest(older_parts, newer_parts) AS most_parts,
      greatest(sqrt((older_variance + newer_variance) / 2.0), ${least_deviation} * abs(older), 1e-9) AS deviation
    FROM (
      SELECT
        key,
        window,
        max(mean) FILTER (WHERE half = window.start) AS older,
        max(mean) FILTER (WHERE half > window.start) AS newer,
        max(variance) FILTER (WHERE half = window.start) AS older_variance,
        max(variance) FILTER (WHERE half > window.start) AS newer_variance,
        max(n) FILTER (WHERE half = window.start) AS older_count,
        max(n) FILTER (WHERE half > window.start) AS newer_count,
        max(parts) FILTER (WHERE half = window.start) AS older_parts,
        max(parts) FILTER (WHERE half > window.start) AS newer_parts
      FROM (
        SELECT
          key,
          window,
          half,
          sum(n) AS n,
          count(*) AS parts,
          CASE WHEN count(*) FILTER (WHERE owned) <= 2 THEN avg(mean) FILTER (WHERE NOT owned) ELSE avg(mean) END AS mean,
          CASE WHEN count(*) FILTER (WHERE owned) <= 2
            THEN avg(variance) FILTER (WHERE NOT owned) + var_pop(mean) FILTER (WHERE NOT owned)
            ELSE avg(variance) + var_pop(mean) END AS variance
        FROM (
          SELECT
            key, window, half, n, mean, variance,
            isnan(variance) OR (n >= 4 AND variance > 0.0
              AND greatest(highest - mean, mean - lowest) * greatest(highest - mean, mean - lowest)
                >= 0.9 * (n - 1) * variance) AS owned
          FROM (
            SELECT
              series AS key,
              hop(${half}, ${window}) AS window,
              date_bin(${half}, event_time) AS half,
              CAST(event_time AS BIGINT) / (CAST(TIMESTAMP '1970-01-01 00:00:00' + ${half} AS BIGINT) / 12) AS part,
              count(*) AS n,
              avg(value) AS mean,
              var_pop(value) AS variance,
              max(value) AS highest,
              min(value) AS lowest
            FROM events
            GROUP BY series, window, half, part
          ) AS parts
        ) AS judged
        GROUP BY key, window, half
      ) AS halves
      GROUP BY key, window
    ) AS sides
  ) AS compared
  WHERE fewest >= ${least_count} AND 4 * fewest_parts >= 3 * most_parts
) AS shifts
WHERE shift > ${deviations} AND NOT isnan(shift)
