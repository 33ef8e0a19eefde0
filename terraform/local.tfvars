# The local stack. The caller adds -var endpoint_url=http://127.0.0.1:<port>, and -var name_prefix=… for a second one.
# The packages are of binaries that run on this machine (`make build`).
alerter_batching_window_seconds = 0
alerter_zip                     = "dist/local/alerter.zip"
events_shard_count              = 2
gate_zip                        = "dist/local/gate.zip"
heartbeat_zip                   = "dist/local/heartbeat.zip"
inbox                           = true
log_retention_days              = 1
observability_enabled           = false
point_in_time_recovery          = false
region                          = "us-east-1"
tracing_enabled                 = false
