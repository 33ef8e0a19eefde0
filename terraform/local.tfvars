# The local stack. The caller adds -var endpoint_url=http://127.0.0.1:<port>, and -var name_prefix=… for a second one.
alerter_batching_window_seconds = 0
events_shard_count              = 2
inbox                           = true
log_retention_days              = 1
observability_enabled           = false
point_in_time_recovery          = false
region                          = "us-east-1"
tracing_enabled                 = false
