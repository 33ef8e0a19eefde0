//! The heartbeat: keeps event time moving and probes the path end to end.
