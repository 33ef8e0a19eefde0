-- name = "silent_service"
-- severity = "critical"
-- description = "A service writes nothing while others do"
-- owner = "team"
-- runbook = "docs/runbooks.md#silent_service"
-- tags = ["silence"]
-- dedup = "6 hours"
--
-- [parameters.step]
-- type = "interval"
-- default = "5 minutes"
-- description = "how often to look"
--
-- [parameters.window]
-- type = "interval"
-- default = "1 hour"
-- description = "who sent in this window is missed; a multiple of step, longer than silence"
--
-- [parameters.silence]
-- type = "interval"
-- default = "15 minutes"
-- description = "how long a service may be silent"

-- Others move time on: it fires once, in the step in which the silence grows too long.
SELECT
  key,
  window,
  CAST((CAST(window.end AS BIGINT) - CAST(last_seen AS BIGINT)) / 1000000000 AS DOUBLE) AS value,
  0.7 AS score,
  last_seen
FROM (
  SELECT key, window, last_seen, max(last_seen) OVER (PARTITION BY window) AS moved_to
  FROM (
    SELECT service AS key, hop(${step}, ${window}) AS window, max(event_time) AS last_seen
    FROM lines
    GROUP BY service, window
  ) AS sources
) AS moved
WHERE last_seen < window.end - ${silence}
  AND last_seen >= window.end - ${silence} - ${step}
  AND moved_to >= window.end - ${step}
