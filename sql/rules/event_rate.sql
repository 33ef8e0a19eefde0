-- name = "event_rate"
-- severity = "warning"
-- description = "A source sends far more events than it should"
-- owner = "platform"
-- runbook = "docs/runbooks.md#event_rate"
-- tags = ["count", "threshold"]
-- dedup = "1 hour"
--
-- [parameters.window]
-- type = "interval"
-- default = "1 minute"
--
-- [parameters.most]
-- type = "integer"
-- default = 600
-- min = 1
-- description = "events of one source in one window that are still fine"

-- At the limit the score is one half, at twice the limit three quarters: it never quite reaches 1.
SELECT
  source AS key,
  window,
  count AS value,
  ${most} AS expected,
  1.0 - ${most} / (2.0 * count) AS score
FROM (
  SELECT source, tumble(${window}) AS window, count(*) AS count
  FROM events
  GROUP BY source, window
) AS counts
WHERE count > ${most}
