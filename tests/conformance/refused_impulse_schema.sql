-- refused: invalid schema for impulse source
CREATE TABLE ticks (counter BIGINT NOT NULL, subtask_index BIGINT NOT NULL) WITH (connector = 'impulse', event_rate = '20', message_count = '20');
SELECT counter FROM ticks;
