-- name = "random_cut_forest_with_explanation"
-- severity = "warning"
-- description = "All metrics of a source together, isolated quickly by a random cut forest, and what each has of that"
-- owner = "platform"
-- runbook = "docs/runbooks.md#random_cut_forest_with_explanation"
-- tags = ["unsupervised", "udf", "forest"]
-- dedup = "6 hours"
-- stage = "off"
--
-- [parameters.step]
-- type = "interval"
-- default = "5 minutes"
-- description = "how often to look; the usual time between two readings of a metric"
--
-- [parameters.window]
-- type = "interval"
-- default = "10000 minutes"
-- description = "what the forest is grown from: about 2000 records; a multiple of step"
--
-- [parameters.number_of_trees]
-- type = "integer"
-- default = 100
-- min = 1
-- max = 1000
-- description = "trees of the forest: more are steadier and cost more"
--
-- [parameters.sub_sample_size]
-- type = "integer"
-- default = 256
-- min = 10
-- max = 1000
-- description = "records that each tree is grown from"
--
-- [parameters.time_decay]
-- type = "integer"
-- default = 100000
-- min = 1
-- description = "records after which one counts for 1/e of the newest"
--
-- [parameters.shingle_size]
-- type = "integer"
-- default = 1
-- min = 1
-- max = 30
-- description = "records in a row that are judged together"
--
-- [parameters.with_directionality]
-- type = "integer"
-- default = 1
-- min = 0
-- max = 1
-- description = "1 also says of each metric whether it is high or low"
--
-- [parameters.threshold]
-- type = "double"
-- default = 0.5
-- min = 0.0
-- max = 1.0
-- description = "the least score that is reported; 0.5 stands for an anomaly score of 3"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- RANDOM_CUT_FOREST_WITH_EXPLANATION of Kinesis Data Analytics. A record is the mean of each metric in a step; a metric that was
-- not sent has its value before. `value` is that of the metric with the greatest part of the score. An anomaly score of 3 scores
-- one half.
SELECT key, window, value, score, anomaly_score, anomaly_explanation, records
FROM (
  SELECT *, anomaly_score / (anomaly_score + 3.0) AS score
  FROM (
    SELECT
      key,
      window,
      records,
      CAST(split_part(verdict, ' ', 1) AS DOUBLE) AS anomaly_score,
      CAST(split_part(verdict, ' ', 2) AS DOUBLE) AS value,
      substr(verdict, strpos(verdict, '{')) AS anomaly_explanation
    FROM (
      SELECT
        key,
        window,
        random_cut_forest(
          CAST(step AS BIGINT), metric, mean,
          CAST(${number_of_trees} AS BIGINT), CAST(${sub_sample_size} AS BIGINT), CAST(${time_decay} AS BIGINT),
          CAST(${shingle_size} AS BIGINT), CAST(${with_directionality} AS BIGINT)) AS verdict,
        max(step) AS newest_step,
        count(DISTINCT step) AS records
      FROM (
        SELECT
          source AS key,
          metric,
          hop(${step}, ${window}) AS window,
          date_bin(${step}, event_time) AS step,
          avg(value) AS mean
        FROM events
        GROUP BY source, metric, window, step
      ) AS steps
      GROUP BY key, window
    ) AS windows
    -- Where a record shortly before had about that score already, the anomaly is the same.
    WHERE split_part(verdict, ' ', 3) = '1' AND newest_step >= window.end - ${step}
  ) AS verdicts
) AS scored
WHERE score >= ${threshold}
