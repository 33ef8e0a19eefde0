-- name = "price_spike"
-- severity = "warning"
-- description = "A price twice the mean of its minute."
-- owner = "examples"
-- runbook = "https://example.com/runbooks/price_spike"

SELECT key, window, highest AS value, usual AS expected, 0.9 AS score
FROM (
  SELECT ticker AS key, tumble(INTERVAL '1 minute') AS window, max(price) AS highest, median(price) AS usual, count(*) AS prices
  FROM stock_ticker
  GROUP BY key, window
) AS minutes
WHERE prices >= 3 AND highest > 2.0 * usual
