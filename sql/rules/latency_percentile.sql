-- name = "latency_percentile"
-- severity = "critical"
-- description = "A high percentile of a source's latency is above its limit"
-- owner = "platform"
-- runbook = "docs/runbooks.md#latency_percentile"
-- tags = ["latency", "slo", "threshold"]
-- dedup = "1 hour"
--
-- [parameters.metric]
-- type = "text"
-- default = "latency_ms"
-- description = "the metric that holds one latency an event"
--
-- [parameters.percentile]
-- type = "double"
-- default = 0.99
-- min = 0.01
-- max = 0.999
--
-- [parameters.most]
-- type = "double"
-- default = 500.0
-- min = 0.0
-- description = "the highest value of the percentile that is still fine, in the metric's unit"
--
-- [parameters.window]
-- type = "interval"
-- default = "5 minutes"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 100
-- min = 1
-- description = "events that the window must hold: at least 1 / (1 - percentile), or the percentile is the slowest event"
--
-- [sampling]
-- least = "least_count"
-- over = "window"
-- by = "source"

-- The percentile is by nearest rank, a latency that occurred: of 100 events the 99th. Of the latencies above the limit alone
-- the window keeps every one, for those below it a count is enough.
SELECT
  key,
  window,
  slow AS value,
  ${most} AS expected,
  1.0 - ${most} / (2.0 * slow) AS score,
  middle AS median,
  slowest,
  events,
  above
FROM (
  SELECT
    key, window, middle, slowest, events, above,
    sorted[CAST(ceil(${percentile} * events - 1e-9) AS BIGINT) - (events - above)] AS slow
  FROM (
    SELECT
      source AS key,
      tumble(${window}) AS window,
      array_sort(array_agg(value) FILTER (WHERE value > ${most})) AS sorted,
      approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS middle,
      max(value) AS slowest,
      count(*) AS events,
      count(*) FILTER (WHERE value > ${most}) AS above
    FROM events
    WHERE metric = ${metric}
    GROUP BY source, window
  ) AS latencies
  WHERE events >= ${least_count} AND ceil(${percentile} * events - 1e-9) > events - above
) AS percentiles
