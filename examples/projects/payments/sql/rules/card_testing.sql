-- name = "card_testing"
-- severity = "critical"
-- description = "Many tiny payments at one merchant: stolen cards are tried"
-- owner = "team"
-- runbook = "docs/runbooks.md#card_testing"
-- tags = ["fraud"]
-- dedup = "6 hours"
--
-- [parameters.window]
-- type = "interval"
-- default = "10 minutes"
--
-- [parameters.tiny]
-- type = "double"
-- default = 2.0
-- description = "payments up to this amount count"
--
-- [parameters.most]
-- type = "integer"
-- default = 15
-- min = 1
-- description = "more of them in one window are an anomaly"

SELECT
  key,
  window,
  CAST(n AS DOUBLE) AS value,
  CAST(${most} AS DOUBLE) AS expected,
  0.8 AS score,
  cards
FROM (
  SELECT
    merchant AS key,
    tumble(${window}) AS window,
    count(*) AS n,
    count(DISTINCT card) AS cards
  FROM payments
  WHERE amount <= ${tiny}
  GROUP BY merchant, window
) AS windows
WHERE n > ${most}
