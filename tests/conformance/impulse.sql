CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '200', message_count = '20');
SELECT counter, subtask_index AS task, counter * 2 AS twice FROM ticks WHERE counter % 3 = 0;
