-- name = "correlation_break"
-- severity = "warning"
-- description = "Two metrics of a source that moved together do not any more"
-- owner = "platform"
-- runbook = "docs/runbooks.md#correlation_break"
-- tags = ["statistics", "pair"]
-- dedup = "1 day"
-- stage = "shadow"
--
-- [parameters.metric]
-- type = "text"
-- default = "temperature"
--
-- [parameters.other]
-- type = "text"
-- default = "pressure"
-- description = "the metric that moves with it, up or down"
--
-- [parameters.every]
-- type = "interval"
-- default = "6 hours"
-- description = "how often to look; a multiple of step"
--
-- [parameters.step]
-- type = "interval"
-- default = "30 minutes"
-- description = "readings of a step are averaged and make one point"
--
-- [parameters.recent]
-- type = "interval"
-- default = "1 day"
-- description = "the newer part of the window; a multiple of step, and of any season that makes the metrics move"
--
-- [parameters.window]
-- type = "interval"
-- default = "2 days"
-- description = "both parts; a multiple of every"
--
-- [parameters.correlation]
-- type = "double"
-- default = 0.7
-- min = 0.1
-- max = 1.0
-- description = "the correlation, up or down, that there must have been"
--
-- [parameters.drop]
-- type = "double"
-- default = 0.5
-- min = 0.05
-- max = 2.0
-- description = "how much of it must be gone"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 24
-- min = 5
-- description = "points that each part must hold"
--
-- [sampling]
-- least = "least_count"
-- over = "window"
-- by = "source"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- Both metrics are averaged in the same steps, which pairs them without a join: Arroyo cannot aggregate what a windowed join
-- gives, so a correlation must be made before one. What is correlated are ranks (Spearman's coefficient): of 48 points one wild
-- one takes an eighth at most. A metric that stands still correlates with nothing: that is 0.
SELECT
  key,
  window,
  newer AS value,
  older AS expected,
  least(abs(older - newer) / 2.0, 1.0) AS score,
  older_points,
  newer_points
FROM (
  SELECT
    key, window, older_points, newer_points,
    coalesce(older, 0.0) AS older,
    coalesce(newer, 0.0) AS newer
  FROM (
    SELECT
      key,
      window,
      covar_pop(a, b) FILTER (WHERE NOT recent)
        / nullif(stddev_pop(a) FILTER (WHERE NOT recent) * stddev_pop(b) FILTER (WHERE NOT recent), 0.0) AS older,
      covar_pop(a, b) FILTER (WHERE recent)
        / nullif(stddev_pop(a) FILTER (WHERE recent) * stddev_pop(b) FILTER (WHERE recent), 0.0) AS newer,
      count(*) FILTER (WHERE NOT recent) AS older_points,
      count(*) FILTER (WHERE recent) AS newer_points
    FROM (
      SELECT
        key, window, recent, CAST(a AS DOUBLE) AS a,
        CAST(rank() OVER (PARTITION BY window, key, recent ORDER BY b) AS DOUBLE) AS b
      FROM (
        SELECT key, window, recent, rank() OVER (PARTITION BY window, key, recent ORDER BY a) AS a, b
        FROM (
          SELECT key, window, bucket >= window.end - ${recent} AS recent, a, b
          FROM (
            SELECT
              source AS key,
              hop(${every}, ${window}) AS window,
              date_bin(${step}, event_time) AS bucket,
              avg(value) FILTER (WHERE metric = ${metric}) AS a,
              avg(value) FILTER (WHERE metric = ${other}) AS b
            FROM events
            WHERE metric = ${metric} OR metric = ${other}
            GROUP BY source, window, bucket
          ) AS buckets
          WHERE a IS NOT NULL AND b IS NOT NULL
        ) AS pairs
      ) AS ranked
    ) AS ranks
    GROUP BY key, window
  ) AS correlations
  WHERE older_points >= ${least_count} AND newer_points >= ${least_count}
) AS compared
WHERE abs(older) >= ${correlation} AND abs(older - newer) >= ${drop}
