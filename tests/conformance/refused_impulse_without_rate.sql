-- refused: required option 'event_rate' not set
CREATE TABLE ticks WITH (connector = 'impulse', message_count = '20');
SELECT counter FROM ticks;
