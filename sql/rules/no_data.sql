-- name = "no_data"
-- severity = "critical"
-- description = "A series that was sent regularly is not sent any more"
-- owner = "platform"
-- runbook = "docs/runbooks.md#no_data"
-- tags = ["silence", "liveness"]
-- dedup = "1 hour"
--
-- [parameters.step]
-- type = "interval"
-- default = "10 minutes"
-- description = "a series is regular when it is sent in nearly every step; at least the time between two readings"
--
-- [parameters.silence]
-- type = "interval"
-- default = "30 minutes"
-- description = "how long it must be silent; a multiple of step"
--
-- [parameters.window]
-- type = "interval"
-- default = "4 hours"
-- description = "silence, and the time before it in which the series must have been regular; a multiple of step"
--
-- [parameters.presence]
-- type = "double"
-- default = 0.8
-- min = 0.1
-- max = 1.0
-- description = "the share of earlier steps in which it must have been sent"

-- weir: allow(division-by-zero) the divisor is the length of a step, and no interval is zero
-- What is not sent cannot be counted. But a window still holds what was sent before, and time moves on by what others send,
-- or by the heartbeat when nobody sends. The last step with events lies just before the silence in one window only, so a
-- silence speaks once.
SELECT
  key,
  window,
  CAST((CAST(window.end AS BIGINT) - CAST(last_seen AS BIGINT)) / 1000000000 AS DOUBLE) AS value,
  0.0 AS expected,
  least(seen / (1.0 * steps), 1.0) AS score,
  last_seen,
  last_reading
FROM (
  SELECT
    key, window, last_seen, last_reading, seen,
    (CAST(last_bucket + ${step} AS BIGINT) - CAST(window.start AS BIGINT))
      / (CAST(window.end AS BIGINT) - CAST(window.end - ${step} AS BIGINT)) AS steps
  FROM (
    SELECT key, window, last_bucket, last_seen, last_reading, seen, max(last_bucket) OVER (PARTITION BY window) AS moved_to
    FROM (
      SELECT
        key,
        window,
        max(bucket) AS last_bucket,
        count(*) AS seen,
        max(newest) AS last_seen,
        last_value(reading ORDER BY newest) AS last_reading
      FROM (
        SELECT
          series AS key,
          hop(${step}, ${window}) AS window,
          date_bin(${step}, event_time) AS bucket,
          max(event_time) AS newest,
          last_value(value ORDER BY event_time) AS reading
        FROM activity
        GROUP BY series, window, bucket
      ) AS buckets
      GROUP BY key, window
    ) AS seen_in_window
  ) AS moved
  WHERE key IS NOT NULL AND last_bucket + ${step} = window.end - ${silence} AND moved_to >= window.end - ${step}
) AS silences
WHERE seen >= ${presence} * steps AND seen >= 3
