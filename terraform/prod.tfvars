# Protected, with a week to notice and to read again what failed.
alerter_reserved_concurrency = 10
anomalies_retention_hours    = 168
deletion_protection          = true
events_retention_hours       = 168
events_shard_count           = 2
log_retention_days           = 365
region                       = "eu-central-1"
