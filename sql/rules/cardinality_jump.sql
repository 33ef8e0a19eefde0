-- name = "cardinality_jump"
-- severity = "warning"
-- description = "Far more or far fewer sources than usual send a metric"
-- owner = "platform"
-- runbook = "docs/runbooks.md#cardinality_jump"
-- tags = ["fleet", "count"]
-- dedup = "6 hours"
--
-- [parameters.step]
-- type = "interval"
-- default = "30 minutes"
-- description = "distinct sources are counted in each step; at least the time between two events of a source"
--
-- [parameters.window]
-- type = "interval"
-- default = "1 day"
-- description = "the newest step is compared with all others; a multiple of step"
--
-- [parameters.factor]
-- type = "double"
-- default = 1.5
-- min = 1.0
-- description = "this many times the usual number, or the usual number by this, is a jump"
--
-- [parameters.least_change]
-- type = "double"
-- default = 3.0
-- min = 1.0
-- description = "sources that must have come or gone"
--
-- [parameters.least_steps]
-- type = "integer"
-- default = 12
-- min = 2
-- description = "earlier steps that must have events"

-- Usual is the median of the earlier steps: one step with a flood of sources does not move it.
-- A metric that nobody sends any more has no newest step: that is a count of zero, if anything moved time on.
SELECT
  key,
  window,
  newest AS value,
  usual AS expected,
  least(abs(newest - usual) / greatest(newest, usual, 1.0), 1.0) AS score,
  steps
FROM (
  SELECT key, window, newest, usual, steps, max(last_bucket) OVER (PARTITION BY window) AS moved_to
  FROM (
    SELECT
      key,
      window,
      CAST(coalesce(max(sources) FILTER (WHERE bucket = window.end - ${step}), 0) AS DOUBLE) AS newest,
      median(CAST(sources AS DOUBLE)) FILTER (WHERE bucket < window.end - ${step}) AS usual,
      count(*) FILTER (WHERE bucket < window.end - ${step}) AS steps,
      max(bucket) AS last_bucket
    FROM (
      SELECT
        metric AS key,
        hop(${step}, ${window}) AS window,
        date_bin(${step}, event_time) AS bucket,
        count(DISTINCT source) AS sources
      FROM activity
      GROUP BY metric, window, bucket
    ) AS buckets
    GROUP BY key, window
  ) AS counts
) AS moved
WHERE key IS NOT NULL AND moved_to >= window.end - ${step} AND steps >= ${least_steps}
  AND abs(newest - usual) >= ${least_change} AND (newest >= ${factor} * usual OR ${factor} * newest <= usual)
