CREATE TABLE events (value DOUBLE) WITH (stream_name = '${events_stream}');
-- @if time = "event"
-- windows go by the time in the event
-- @end
