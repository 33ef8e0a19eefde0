-- name = "random_cut_forest"
-- severity = "warning"
-- description = "A run of readings that a random cut forest of the window isolates quickly"
-- owner = "platform"
-- runbook = "docs/runbooks.md#random_cut_forest"
-- tags = ["unsupervised", "udf", "forest"]
-- dedup = "6 hours"
-- stage = "off"
--
-- [parameters.step]
-- type = "interval"
-- default = "5 minutes"
-- description = "how often to look; the usual time between two readings of a series"
--
-- [parameters.window]
-- type = "interval"
-- default = "10000 minutes"
-- description = "what the forest is grown from: about 2000 readings; a multiple of step"
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
-- description = "readings that each tree is grown from"
--
-- [parameters.time_decay]
-- type = "integer"
-- default = 100000
-- min = 1
-- description = "readings after which one counts for 1/e of the newest"
--
-- [parameters.shingle_size]
-- type = "integer"
-- default = 8
-- min = 1
-- max = 30
-- description = "readings in a row that are judged together"
--
-- [parameters.threshold]
-- type = "double"
-- default = 0.5
-- min = 0.0
-- max = 1.0
-- description = "the least score that is reported; 0.5 stands for an anomaly score of 1.5"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- RANDOM_CUT_FOREST of Kinesis Data Analytics with its arguments and defaults, but for shingles of 8, one series at a time
-- (sql/udfs/random_cut_forest.rs). An anomaly score of 1.5 scores one half.
SELECT key, window, newest AS value, score, anomaly_score, readings
FROM (
  SELECT *, anomaly_score / (anomaly_score + 1.5) AS score
  FROM (
    SELECT key, window, newest, readings, CAST(split_part(verdict, ' ', 1) AS DOUBLE) AS anomaly_score
    FROM (
      SELECT
        series AS key,
        hop(${step}, ${window}) AS window,
        random_cut_forest(
          CAST(event_time AS BIGINT), 'value', value,
          CAST(${number_of_trees} AS BIGINT), CAST(${sub_sample_size} AS BIGINT), CAST(${time_decay} AS BIGINT),
          CAST(${shingle_size} AS BIGINT), CAST(0 AS BIGINT)) AS verdict,
        last_value(value ORDER BY event_time) AS newest,
        max(event_time) AS newest_time,
        count(*) AS readings
      FROM events
      GROUP BY series, window
    ) AS windows
    -- Where a record shortly before had about that score already, the anomaly is the same.
    WHERE split_part(verdict, ' ', 3) = '1' AND newest_time >= window.end - ${step}
  ) AS verdicts
) AS scored
WHERE score >= ${threshold}
