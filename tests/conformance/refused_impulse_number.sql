-- refused: expected with option 'message_count' to be an integer
CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '20', message_count = '2.5');
SELECT counter FROM ticks;
