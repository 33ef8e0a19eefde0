-- name = "peer_outlier"
-- severity = "warning"
-- description = "A source is far from what its peers say of the same metric at the same time"
-- owner = "platform"
-- runbook = "docs/runbooks.md#peer_outlier"
-- tags = ["fleet", "statistics"]
-- dedup = "6 hours"
-- stage = "off"
--
-- [parameters.window]
-- type = "interval"
-- default = "30 minutes"
-- description = "readings of a window are averaged"
--
-- [parameters.deviations]
-- type = "double"
-- default = 6.0
-- min = 1.0
-- description = "robust standard deviations among the peers"
--
-- [parameters.least_sources]
-- type = "integer"
-- default = 6
-- min = 4
-- description = "sources that must send the metric in the window"
--
-- [parameters.least_deviation]
-- type = "double"
-- default = 0.01
-- min = 0.0
-- description = "a deviation under this share of the peers' median counts as this share"

-- Each source's mean joined with the middle of all means of the same window. Half of the peers lie between the quartiles;
-- 1.349 makes their distance a standard deviation. The quartiles are means of sources, not values between two of them: among
-- few sources a value between would be half the wild one's.
SELECT
  key,
  window,
  mean AS value,
  middle AS expected,
  1.0 - ${deviations} / (2.0 * z) AS score,
  z,
  deviation,
  sources
FROM (
  SELECT key, window, mean, middle, deviation, sources, abs(mean - middle) / deviation AS z
  FROM (
    SELECT
      own.key AS key,
      own.window AS window,
      own.mean AS mean,
      peers.middle AS middle,
      peers.sources AS sources,
      greatest((peers.upper - peers.lower) / 1.349, ${least_deviation} * abs(peers.middle), 1e-9) AS deviation
    FROM (
      SELECT series AS key, metric, tumble(${window}) AS window, avg(value) AS mean
      FROM events
      GROUP BY series, metric, window
    ) AS own
    JOIN (
      SELECT
        metric, window, sources,
        (sorted[(sources + 1) / 2] + sorted[sources / 2 + 1]) / 2.0 AS middle,
        sorted[(sources + 3) / 4] AS lower,
        sorted[sources - (sources + 3) / 4 + 1] AS upper
      FROM (
        SELECT metric, window, array_sort(array_agg(mean)) AS sorted, count(*) AS sources
        FROM (
          SELECT source, metric, tumble(${window}) AS window, avg(value) AS mean
          FROM events
          GROUP BY source, metric, window
        ) AS means
        GROUP BY metric, window
      ) AS sorted_means
    ) AS peers
    ON own.window = peers.window AND own.metric = peers.metric
    WHERE peers.sources >= ${least_sources}
  ) AS compared
) AS scored
WHERE z > ${deviations}
