-- name = "ewma_drift"
-- severity = "warning"
-- description = "A series creeps away from what it was at the same time on earlier days"
-- owner = "platform"
-- runbook = "docs/runbooks.md#ewma_drift"
-- tags = ["drift", "statistics", "seasonal"]
-- dedup = "1 day"
--
-- [parameters.every]
-- type = "interval"
-- default = "3 hours"
-- description = "how often to look; a multiple of step"
--
-- [parameters.step]
-- type = "interval"
-- default = "1 hour"
-- description = "readings of a step are averaged; a part of season"
--
-- [parameters.season]
-- type = "interval"
-- default = "1 day"
-- description = "the length after which a series repeats itself; for one that does not, any length that its noise averages out in"
--
-- [parameters.window]
-- type = "interval"
-- default = "4 days"
-- description = "the newest season and those that it is compared with; a multiple of season and of every, at least three seasons"
--
-- [parameters.memory]
-- type = "interval"
-- default = "6 hours"
-- description = "a step this old weighs 1/e of the newest: longer finds slower drifts, and later"
--
-- [parameters.deviations]
-- type = "double"
-- default = 3.0
-- min = 0.5
-- description = "of a step's mean, from season to season"
--
-- [parameters.least_steps]
-- type = "integer"
-- default = 12
-- min = 2
-- description = "steps of the newest season that must have steps to compare with in at least two earlier seasons"
--
-- [parameters.least_deviation]
-- type = "double"
-- default = 0.001
-- min = 0.0
-- description = "a deviation under this share of the mean counts as this share"
--
-- [band]
-- deviation = "deviation"
-- times = "deviations"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- An exponentially weighted mean (EWMA) of how far each step of the newest season lies from the same step of earlier seasons.
-- Weights are by age within the window, so nothing is remembered that the window does not hold. What earlier seasons say of a
-- step is their median; a step's distance counts up to twice `deviations` from the median of all distances, and the widest
-- twelfth of the steps says nothing of the deviation. So no single step makes a drift, or hides one.
SELECT
  key,
  window,
  newest AS value,
  earlier AS expected,
  1.0 - ${deviations} / (2.0 * z) AS score,
  drift,
  deviation
FROM (
  SELECT key, window, newest, earlier, drift, deviation, abs(drift) / deviation AS z
  FROM (
    SELECT
      key,
      window,
      sum(weight * (earlier + distance)) / sum(weight) AS newest,
      sum(weight * earlier) / sum(weight) AS earlier,
      sum(weight * distance) / sum(weight) AS drift,
      greatest(sqrt(max(variance)), ${least_deviation} * abs(median(earlier)), 1e-9) AS deviation,
      count(*) AS steps
    FROM (
      SELECT
        key,
        window,
        earlier,
        least(greatest(distance, middle - 2.0 * ${deviations} * sqrt(variance)), middle + 2.0 * ${deviations} * sqrt(variance))
          AS distance,
        variance,
        exp((CAST(newest_bucket AS BIGINT) - CAST(window.end AS BIGINT))
          / (1.0 * (CAST(window.end AS BIGINT) - CAST(window.end - ${memory} AS BIGINT)))) AS weight
      FROM (
        SELECT
          key, window, newest_bucket, earlier, distance, variance,
          min(CASE WHEN share >= 0.5 THEN distance END) OVER (PARTITION BY window, key) AS middle
        FROM (
          SELECT
            key, window, newest_bucket, earlier, distance, variance,
            cume_dist() OVER (PARTITION BY window, key ORDER BY distance) AS share
          FROM (
            SELECT
              key, window, newest_bucket, earlier, newest - earlier AS distance,
              avg(CASE WHEN twelfth > 1 THEN variance END) OVER (PARTITION BY window, key) AS variance
            FROM (
              SELECT
                key, window, newest, newest_bucket, earlier, variance,
                ntile(12) OVER (PARTITION BY window, key ORDER BY variance DESC) AS twelfth
              FROM (
                SELECT
                  key,
                  window,
                  slot,
                  max(mean) FILTER (WHERE bucket >= window.end - ${season}) AS newest,
                  max(bucket) FILTER (WHERE bucket >= window.end - ${season}) AS newest_bucket,
                  median(mean) FILTER (WHERE bucket < window.end - ${season}) AS earlier,
                  var(mean) FILTER (WHERE bucket < window.end - ${season}) AS variance
                FROM (
                  SELECT
                    key, window, bucket, mean,
                    CAST(bucket AS BIGINT) - CAST(date_bin(${season}, bucket) AS BIGINT) AS slot
                  FROM (
                    SELECT
                      series AS key,
                      hop(${every}, ${window}) AS window,
                      date_bin(${step}, event_time) AS bucket,
                      avg(value) AS mean
                    FROM events
                    GROUP BY series, window, bucket
                  ) AS buckets
                ) AS slotted
                GROUP BY key, window, slot
              ) AS slots
              WHERE newest IS NOT NULL AND variance IS NOT NULL
            ) AS narrowed
          ) AS judged
        ) AS ordered
      ) AS centred
    ) AS weighted
    GROUP BY key, window
  ) AS drifts
  WHERE steps >= ${least_steps}
) AS scored
WHERE z > ${deviations}
