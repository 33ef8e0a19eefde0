CREATE TABLE readings (
    series TEXT,
    value DOUBLE,
    at TIMESTAMP NOT NULL,
    WATERMARK FOR at AS (at - INTERVAL '5 seconds')
) WITH (connector = 'single_file', path = '-', type = 'source', format = 'json');

CREATE TABLE alerts (series TEXT, score DOUBLE) WITH (
    connector = 'single_file', path = '-', type = 'sink', format = 'json'
);

CREATE VIEW warm AS SELECT series, value FROM readings WHERE value > 20;

-- rule mean
INSERT INTO alerts SELECT series, mean FROM (
    SELECT series, avg(value) AS mean, count(*) FILTER (WHERE value > 90) AS hot, tumble(INTERVAL '1 minute')
    FROM warm GROUP BY series, tumble(INTERVAL '1 minute')
) WHERE mean > 50;

-- rule rank
INSERT INTO alerts SELECT series, CAST(place AS DOUBLE) FROM (
    SELECT series, row_number() OVER (PARTITION BY w ORDER BY n DESC) AS place FROM (
        SELECT series, count(*) AS n, hop(INTERVAL '10 seconds', INTERVAL '1 minute') AS w
        FROM warm GROUP BY series, hop(INTERVAL '10 seconds', INTERVAL '1 minute')
    )
) WHERE place = 1;

-- rule idle
INSERT INTO alerts SELECT series, CAST(n AS DOUBLE) FROM (
    SELECT series, count(*) AS n, session(INTERVAL '30 seconds') FROM readings
    GROUP BY series, session(INTERVAL '30 seconds')
);

SET updating_ttl = '1 hour';

-- rule pairs
INSERT INTO alerts SELECT a.series, a.value - b.value
FROM (SELECT series, value FROM warm) a JOIN (SELECT series, value FROM readings) b ON a.series = b.series;
