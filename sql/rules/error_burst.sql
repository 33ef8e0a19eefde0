-- name = "error_burst"
-- severity = "critical"
-- description = "Many errors of a source close together"
-- owner = "platform"
-- runbook = "docs/runbooks.md#error_burst"
-- tags = ["errors", "session"]
-- dedup = "1 hour"
--
-- [parameters.metric]
-- type = "text"
-- default = "error"
-- description = "the metric whose events with a value above zero are errors"
--
-- [parameters.gap]
-- type = "interval"
-- default = "1 minute"
-- description = "errors closer together than this belong to one burst"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 20
-- min = 2
-- description = "errors that make a burst"

-- A session window is as long as its burst. It speaks once the burst is over: when no error came for `gap`.
SELECT
  key,
  window,
  errors AS value,
  ${least_count} AS expected,
  1.0 - ${least_count} / (2.0 * errors) AS score,
  first_error,
  last_error
FROM (
  SELECT
    source AS key,
    session(${gap}) AS window,
    count(*) AS errors,
    min(event_time) AS first_error,
    max(event_time) AS last_error
  FROM events
  WHERE metric = ${metric} AND value > 0.0
  GROUP BY source, window
) AS bursts
WHERE errors >= ${least_count}
