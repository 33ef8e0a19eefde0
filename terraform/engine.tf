# Which engine runs the rules: Arroyo's cluster (arroyo.tf, `arroyo_enabled`), or one task of the embedded engine. Names, streams, table and alerts
# are the same for both, so that `engine` alone goes from one to the other.

locals {
  arroyo   = var.engine == "arroyo" && var.arroyo_enabled
  embedded = var.engine == "embedded"
  # Of metrics and alarms; one that runs elsewhere has a name of its own.
  embedded_pipeline = local.embedded ? coalesce(var.embedded_pipeline, var.name_prefix) : var.embedded_pipeline
}

module "engine" {
  source = "./modules/engine"
  count  = local.embedded ? 1 : 0

  anomalies_stream_arn        = module.streams.arns["anomalies"]
  availability_zones          = var.availability_zones
  checkpoint_interval_seconds = var.engine_checkpoint_interval_seconds
  cpu                         = var.engine_cpu
  cpu_architecture            = var.lambda_architecture == "arm64" ? "ARM64" : "X86_64"
  deletion_protection         = var.deletion_protection
  endpoint_url                = var.endpoint_url
  events_stream_arn           = module.streams.arns["events"]
  existing_network            = var.existing_network
  # An emulator starts no task.
  image              = coalesce(var.engine_image, "weir:emulated")
  kms_key_arn        = local.kms_key_arn
  log_level          = var.log_level
  log_retention_days = var.log_retention_days
  memory_mb          = var.engine_memory_mb
  name_prefix        = var.name_prefix
  network_cidr       = var.network_cidr
  pipeline           = local.embedded_pipeline
  read_key_arns      = local.declared_keys
  # The streams themselves, also where a gate stands: it takes records apart by itself.
  read_stream_arns            = values(local.stream_arns)
  region                      = var.region
  require_tls                 = !local.emulated
  roles                       = local.roles
  service_linked_roles_create = var.service_linked_roles_create
  state_expiration_days       = var.engine_state_expiration_days
  wait_for_steady_state       = !local.emulated
}
