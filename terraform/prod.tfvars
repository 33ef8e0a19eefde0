# Two zones, protected, with a week to notice and to read again what failed. Name the image in your ECR:
# -var arroyo_image=<account>.dkr.ecr.<region>.amazonaws.com/arroyo:0.15.0
anomalies_retention_hours = 168
arroyo_container_insights = true
arroyo_control_cpu        = 2048
arroyo_control_memory_mb  = 8192
# Each restart of the catalogue restarts all pipelines (docs/operations.md): once a week at most, when it is known.
arroyo_database = {
  auto_minor_version_upgrade = false
  backup_days                = 14
  backup_window              = "02:00-02:30"
  final_snapshot             = true
  instance_class             = "db.t4g.small"
  maintenance_window         = "sun:03:00-sun:03:30"
  multi_az                   = true
  performance_insights       = true
}
arroyo_enabled         = true
deletion_protection    = true
events_retention_hours = 168
events_shard_count     = 2
keep_failed_records    = true
kms_key_create         = true
log_retention_days     = 365
network_egress         = "endpoints"
region                 = "eu-central-1"
