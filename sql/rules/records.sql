-- name = "records"
-- severity = "warning"
-- description = "A reading outside everything that the window of its series has shown, or a level that never stayed so high"
-- owner = "platform"
-- runbook = "docs/runbooks.md#records"
-- tags = ["unsupervised"]
-- dedup = "6 hours"
-- stage = "off"
--
-- [parameters.step]
-- type = "interval"
-- default = "30 minutes"
-- description = "the length of a block, and how often to look: about six readings"
--
-- [parameters.window]
-- type = "interval"
-- default = "333 hours"
-- description = "what the newest block is compared with: about 4000 readings; a multiple of step"
--
-- [parameters.quiet]
-- type = "interval"
-- default = "2 hours"
-- description = "a record within this time of another is reported only if it rises more than twice as far; a multiple of step"
--
-- [parameters.least_count]
-- type = "integer"
-- default = 100
-- min = 2
-- description = "readings that the window must hold before the newest block"
--
-- [parameters.threshold]
-- type = "double"
-- default = 0.5
-- min = 0.0
-- max = 1.0
-- description = "the least score that is reported; 0.5 stands for 1 % of the range beyond it"
--
-- [sampling]
-- least = "least_count"
-- over = "window"
-- by = "series"

-- weir: allow(window-exceeds-retention) after a start without state it says nothing before its floors are met
-- A block has a highest and a lowest reading. Three things are compared with all blocks before, each in units of the range so
-- far: the highest (above), the lowest (below), and the lowest again (level: a whole block above every block's lowest).
SELECT
  key,
  window,
  CASE WHEN excess = below THEN low WHEN excess = above THEN high ELSE low END AS value,
  CASE WHEN excess = below THEN least(recent_low, old_low) WHEN excess = above THEN greatest(recent_high, old_high)
    ELSE greatest(recent_level, old_level) END AS expected,
  score,
  CASE WHEN excess = below THEN 'below' WHEN excess = above THEN 'above' ELSE 'level' END AS part,
  excess,
  readings
FROM (
  SELECT *, 1.0 - 0.01 / (excess + 0.01) AS score
  FROM (
    SELECT *, greatest(above, below, level) AS excess
    FROM (
      SELECT
        *,
        greatest(high - greatest(recent_high, old_high), 0.0) / unit AS above,
        greatest(least(recent_low, old_low) - low, 0.0) / unit AS below,
        greatest(low - greatest(recent_level, old_level), 0.0) / level_unit AS level,
        greatest(
          (recent_high - old_high) / unit,
          (old_low - recent_low) / unit,
          (recent_level - old_level) / level_unit,
          0.0) AS earlier
      FROM (
        SELECT
          *,
          CASE WHEN greatest(recent_high, old_high) > least(recent_low, old_low)
            THEN greatest(recent_high, old_high) - least(recent_low, old_low)
            ELSE greatest(abs(old_high) * 0.001, 0.000000001) END AS unit,
          CASE WHEN greatest(recent_level, old_level) > least(recent_low, old_low)
            THEN greatest(recent_level, old_level) - least(recent_low, old_low)
            ELSE greatest(abs(old_level) * 0.001, 0.000000001) END AS level_unit
        FROM (
          SELECT
            key,
            window,
            max(block_high) FILTER (WHERE block >= window.end - ${step}) AS high,
            min(block_low) FILTER (WHERE block >= window.end - ${step}) AS low,
            max(block_high) FILTER (WHERE block < window.end - ${step} AND block >= window.end - ${step} - ${quiet}) AS recent_high,
            min(block_low) FILTER (WHERE block < window.end - ${step} AND block >= window.end - ${step} - ${quiet}) AS recent_low,
            max(block_low) FILTER (WHERE block < window.end - ${step} AND block >= window.end - ${step} - ${quiet}) AS recent_level,
            max(block_high) FILTER (WHERE block < window.end - ${step} - ${quiet}) AS old_high,
            min(block_low) FILTER (WHERE block < window.end - ${step} - ${quiet}) AS old_low,
            max(block_low) FILTER (WHERE block < window.end - ${step} - ${quiet}) AS old_level,
            sum(n) FILTER (WHERE block < window.end - ${step}) AS readings
          FROM (
            SELECT
              series AS key,
              hop(${step}, ${window}) AS window,
              date_bin(${step}, event_time) AS block,
              max(value) AS block_high,
              min(value) AS block_low,
              count(*) AS n
            FROM events
            GROUP BY series, window, block
          ) AS blocks
          GROUP BY key, window
        ) AS compared
        WHERE high IS NOT NULL AND old_high IS NOT NULL AND readings >= ${least_count}
      ) AS measured
    ) AS rises
  ) AS records
  WHERE excess > 2.0 * earlier
) AS scored
WHERE score >= ${threshold}
