# Arroyo and the network it lives in: `arroyo_enabled`, with `engine = "arroyo"`.

locals {
  secret_names = { api-key = "Key of Arroyo's API and UI.", database = "Password of Arroyo's catalogue." }

  # The full image has the compiler that functions in Rust need. Arroyo never fetches one itself.
  arroyo_image = coalesce(var.arroyo_image, "ghcr.io/arroyosystems/arroyo${var.arroyo_udfs_enabled ? "-full" : ""}:0.15.0")

  # A VPC of one's own brings its own way out. Nothing is known of it here.
  network = !local.arroyo ? null : var.existing_network != null ? {
    egress_cidrs        = ["0.0.0.0/0"]
    egress_prefix_lists = {}
    subnet_ids          = var.existing_network.private_subnet_ids
    vpc_id              = var.existing_network.vpc_id
    } : {
    egress_cidrs        = module.network[0].egress_cidrs
    egress_prefix_lists = module.network[0].egress_prefix_lists
    subnet_ids          = module.network[0].private_subnet_ids
    vpc_id              = module.network[0].vpc_id
  }
}

module "network" {
  source = "./modules/network"
  count  = local.arroyo && var.existing_network == null ? 1 : 0

  availability_zones = var.availability_zones
  cidr               = var.network_cidr
  egress             = var.network_egress
  flow_logs_enabled  = var.flow_logs_enabled
  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
  name_prefix        = var.name_prefix
  region             = var.region
  roles              = local.roles
}

module "arroyo_secrets" {
  source   = "./modules/secret"
  for_each = local.arroyo ? local.secret_names : {}

  description          = each.value
  kms_key_arn          = local.kms_key_arn
  name                 = "${var.name_prefix}-arroyo-${each.key}"
  recovery_window_days = var.deletion_protection ? 30 : 0
  value_version        = var.arroyo_secrets_version
}

module "arroyo" {
  source = "./modules/arroyo"
  count  = local.arroyo ? 1 : 0

  allowed_restarts             = var.arroyo_allowed_restarts
  anomalies_stream_arn         = module.streams.arns["anomalies"]
  api_key_secret_arn           = module.arroyo_secrets["api-key"].arn
  checkpoint_expiration_days   = var.arroyo_checkpoint_expiration_days
  checkpoint_interval_seconds  = var.arroyo_checkpoint_interval_seconds
  container_insights           = var.arroyo_container_insights
  control_cpu                  = var.arroyo_control_cpu
  control_memory_mb            = var.arroyo_control_memory_mb
  cpu_architecture             = var.lambda_architecture == "arm64" ? "ARM64" : "X86_64"
  database                     = var.arroyo_database
  database_password            = module.arroyo_secrets["database"].value
  database_password_secret_arn = module.arroyo_secrets["database"].arn
  deletion_protection          = var.deletion_protection
  egress_cidrs                 = local.network.egress_cidrs
  egress_prefix_lists          = local.network.egress_prefix_lists
  events_stream_arn            = module.streams.arns["events"]
  image                        = local.arroyo_image
  image_from_internet          = var.existing_network != null || var.network_egress == "nat"
  image_digest                 = var.arroyo_image_digest
  kms_key_arn                  = local.kms_key_arn
  load_balancer                = var.arroyo_load_balancer
  log_retention_days           = var.log_retention_days
  name_prefix                  = var.name_prefix
  read_key_arns                = local.read_keys
  read_stream_arns             = local.read_arns
  region                       = var.region
  require_tls                  = !local.emulated
  roles                        = local.roles
  secrets_version              = var.arroyo_secrets_version
  service_linked_roles_create  = var.service_linked_roles_create
  source_batches               = var.arroyo_source_batches
  subnet_ids                   = local.network.subnet_ids
  task_slots                   = var.arroyo_task_slots
  vpc_id                       = local.network.vpc_id
  wait_for_steady_state        = !local.emulated
  worker_count                 = var.arroyo_worker_count
  worker_cpu                   = var.arroyo_worker_cpu
  worker_memory_mb             = var.arroyo_worker_memory_mb
}
