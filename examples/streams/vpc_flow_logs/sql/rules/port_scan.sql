-- name = "port_scan"
-- severity = "critical"
-- description = "An address of which more than thirty ports are rejected within a minute."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/port_scan"

SELECT key, window, CAST(rejects AS DOUBLE) AS value, 30.0 AS expected, 0.9 AS score, ports
FROM (
  SELECT srcaddr AS key, tumble(INTERVAL '1 minute') AS window, count(*) AS rejects, count(DISTINCT dstport) AS ports
  FROM vpc_flow_logs
  WHERE action = 'REJECT'
  GROUP BY key, window
) AS minutes
WHERE ports > 30
