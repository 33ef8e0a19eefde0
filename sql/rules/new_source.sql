-- name = "new_source"
-- severity = "info"
-- description = "A source sends that was not seen in the window before"
-- owner = "platform"
-- runbook = "docs/runbooks.md#new_source"
-- tags = ["inventory", "security"]
-- dedup = "1 day"
--
-- [parameters.step]
-- type = "interval"
-- default = "10 minutes"
-- description = "how often to look; a source is new in the first step that has events of it"
--
-- [parameters.window]
-- type = "interval"
-- default = "1 day"
-- description = "how long a source is remembered; longer than the longest usual silence of one, a multiple of step"
--
-- [parameters.history]
-- type = "interval"
-- default = "6 hours"
-- description = "how long the stream must have been watched before: at the start every source is new"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 3
-- min = 1
-- description = "events that the source must send in its first step: one mistyped name is no source"
--
-- [sampling]
-- least = "least_count"
-- over = "step"
-- by = "source"

SELECT
  source AS key,
  window,
  events AS value,
  0.0 AS expected,
  1.0 - ${least_count} / (2.0 * events) AS score,
  first_seen,
  metrics
FROM (
  SELECT source, window, events, first_seen, metrics, min(first_seen) OVER (PARTITION BY window) AS watched_since
  FROM (
    SELECT
      source,
      hop(${step}, ${window}) AS window,
      count(*) AS events,
      min(event_time) AS first_seen,
      count(DISTINCT metric) AS metrics
    FROM events
    GROUP BY source, window
  ) AS sources
) AS watched
WHERE first_seen >= window.end - ${step} AND watched_since < window.end - ${history} AND events >= ${least_count}
