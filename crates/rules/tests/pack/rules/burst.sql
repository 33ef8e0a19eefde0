-- name = "burst"
-- severity = "info"
-- description = "It's many"
-- owner = "me"
-- runbook = "docs/burst.md"
-- dedup = "90 seconds"
--
-- [parameters.most]
-- type = "integer"
-- default = 3

SELECT source AS key, window, n AS value, 1.0 AS score, least_value
FROM (
  SELECT source, tumble(INTERVAL '1 minute') AS window, count(*) AS n, min(value) AS least_value FROM events GROUP BY 1, 2
) AS counts
WHERE n > ${most};
