-- name = "event_count"
-- severity = "warning"
-- description = "A source sends far more or far fewer events than it does otherwise"
-- owner = "platform"
-- runbook = "docs/runbooks.md#event_count"
-- tags = ["count", "liveness"]
-- dedup = "6 hours"
--
-- [parameters.step]
-- type = "interval"
-- default = "10 minutes"
-- description = "events are counted in each step"
--
-- [parameters.window]
-- type = "interval"
-- default = "6 hours"
-- description = "the newest step is compared with all others; a multiple of step"
--
-- [parameters.deviations]
-- type = "double"
-- default = 6.0
-- min = 1.0
--
-- [parameters.least_steps]
-- type = "integer"
-- default = 12
-- min = 3
-- description = "earlier steps since the source's first event in the window"
--
-- [parameters.least_change]
-- type = "double"
-- default = 20.0
-- min = 1.0
-- description = "events more or fewer than usual"

-- weir: allow(division-by-zero) the divisor is the length of a step, and no interval is zero
-- Steps without events count as zero, from the source's first event in the window on. The busiest of the earlier steps is left
-- out, so that one burst does not hide the next. Counts of independent events deviate by the square root of their mean at least,
-- however steady they looked.
SELECT
  key,
  window,
  newest AS value,
  usual AS expected,
  1.0 - ${deviations} / (2.0 * z) AS score,
  z,
  deviation
FROM (
  SELECT key, window, newest, usual, deviation, abs(newest - usual) / deviation AS z
  FROM (
    SELECT
      key,
      window,
      newest,
      total / (1.0 * steps) AS usual,
      greatest(
        sqrt(greatest(squares - total * total / (1.0 * steps), 0.0) / greatest(steps - 1, 1)),
        sqrt(total / (1.0 * steps)),
        1.0) AS deviation
    FROM (
      SELECT
        key, window, newest, total - busiest AS total, squares - busiest * busiest AS squares,
        (CAST(window.end - ${step} AS BIGINT) - CAST(first_bucket AS BIGINT))
          / (CAST(window.end AS BIGINT) - CAST(window.end - ${step} AS BIGINT)) - 1 AS steps
      FROM (
        SELECT key, window, newest, total, squares, busiest, first_bucket, max(last_bucket) OVER (PARTITION BY window) AS moved_to
        FROM (
          SELECT
            key,
            window,
            coalesce(sum(n) FILTER (WHERE bucket = window.end - ${step}), 0.0) AS newest,
            coalesce(sum(n) FILTER (WHERE bucket < window.end - ${step}), 0.0) AS total,
            coalesce(sum(n * n) FILTER (WHERE bucket < window.end - ${step}), 0.0) AS squares,
            coalesce(max(n) FILTER (WHERE bucket < window.end - ${step}), 0.0) AS busiest,
            min(bucket) AS first_bucket,
            max(bucket) AS last_bucket
          FROM (
            SELECT
              source AS key,
              hop(${step}, ${window}) AS window,
              date_bin(${step}, event_time) AS bucket,
              CAST(count(*) AS DOUBLE) AS n
            FROM activity
            GROUP BY source, window, bucket
          ) AS buckets
          GROUP BY key, window
        ) AS sums
      ) AS moved
      WHERE key IS NOT NULL AND moved_to >= window.end - ${step}
    ) AS counts
    WHERE steps + 1 >= ${least_steps}
  ) AS usual_counts
  WHERE abs(newest - usual) >= ${least_change}
) AS scored
WHERE z > ${deviations}
