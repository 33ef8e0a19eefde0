-- name = "slow_route"
-- severity = "warning"
-- description = "A route of the site is slow for most requests"
-- owner = "team"
-- runbook = "docs/runbooks.md#slow_route"
-- tags = ["latency"]
-- dedup = "1 hour"
--
-- [parameters.window]
-- type = "interval"
-- default = "10 minutes"
--
-- [parameters.most]
-- type = "double"
-- default = 600.0
-- description = "a median latency above it is an anomaly, in milliseconds"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 5
-- min = 1
-- description = "requests that a window must hold to be judged"

-- Windows that follow one another: GROUP BY the key and the window, then filter outside. One row is one anomaly.
SELECT
  key,
  window,
  middle AS value,
  ${most} AS expected,
  0.5 AS score,
  requests
FROM (
  SELECT
    route AS key,
    tumble(${window}) AS window,
    median(took_ms) AS middle,
    count(*) AS requests
  FROM requests
  GROUP BY route, window
) AS windows
WHERE requests >= ${least_count} AND middle > ${most}
