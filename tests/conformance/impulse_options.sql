-- input: impulse
CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '200.5', event_time_interval = 1000000, message_count = 20);
SELECT c, lo, hi FROM (SELECT session(INTERVAL '10 seconds') AS w, count(*) AS c, min(counter) AS lo, max(counter) AS hi FROM ticks GROUP BY 1);
