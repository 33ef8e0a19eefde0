-- name = "failing_route"
-- severity = "critical"
-- description = "A route answers many requests with an error"
-- owner = "team"
-- runbook = "docs/runbooks.md#failing_route"
-- tags = ["errors"]
-- dedup = "1 hour"
--
-- [parameters.window]
-- type = "interval"
-- default = "10 minutes"
--
-- [parameters.most]
-- type = "double"
-- default = 0.2
-- min = 0.0
-- max = 1.0
-- description = "a larger share of requests with status 500 and above is an anomaly"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 5
-- min = 1
-- description = "requests that a window must hold to be judged"

SELECT
  key,
  window,
  failed AS value,
  ${most} AS expected,
  0.7 AS score,
  requests
FROM (
  SELECT
    route AS key,
    tumble(${window}) AS window,
    avg(CASE WHEN status >= 500 THEN 1.0 ELSE 0.0 END) AS failed,
    count(*) AS requests
  FROM requests
  GROUP BY route, window
) AS windows
WHERE requests >= ${least_count} AND failed > ${most}
