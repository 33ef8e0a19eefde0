module "streams" {
  source = "./modules/streams"

  deletion_protection = var.deletion_protection

  encrypted   = !local.emulated
  kms_key_arn = local.kms_key_arn
  mode        = var.stream_mode
  streams = merge(local.own_streams, {
    anomalies = {
      name            = "${var.name_prefix}-anomalies"
      retention_hours = var.anomalies_retention_hours
      shard_count     = var.anomalies_shard_count
    }
    events = {
      name            = "${var.name_prefix}-events"
      retention_hours = var.events_retention_hours
      shard_count     = var.events_shard_count
    }
  })
}

module "store" {
  source = "./modules/store"

  deletion_protection    = var.deletion_protection
  kms_key_arn            = local.kms_key_arn
  name                   = "${var.name_prefix}-anomalies"
  point_in_time_recovery = var.point_in_time_recovery
}

module "alerts" {
  source = "./modules/alerts"

  alerter = {
    architecture         = var.lambda_architecture
    log_retention_days   = var.log_retention_days
    memory_mb            = var.alerter_memory_mb
    package_check        = !local.emulated
    reserved_concurrency = var.alerter_reserved_concurrency
    timeout_seconds      = var.alerter_timeout_seconds
    tracing_enabled      = var.tracing_enabled
    zip_path             = local.zip.alerter

    environment = merge(local.function_environment, {
      WEIR_DEDUP_DEFAULT_SECONDS = tostring(var.dedup_default_seconds)
      WEIR_RETENTION_DAYS        = tostring(var.retention_days)
      WEIR_SEVERITY_FLOOR        = var.severity_floor
      WEIR_STORM_CAP             = tostring(var.storm_cap)
    }, var.page_url == null ? {} : { WEIR_PAGE_URL = var.page_url })
  }
  anomalies_stream_arn = module.streams.arns["anomalies"]
  deletion_protection  = var.deletion_protection
  event_source = {
    batch_size                 = var.alerter_batch_size
    batching_window_seconds    = var.alerter_batching_window_seconds
    bisect_on_error            = var.alerter_bisect_on_error
    maximum_record_age_seconds = var.alerter_maximum_record_age_seconds
    maximum_retry_attempts     = var.alerter_maximum_retry_attempts
    parallelization_factor     = var.alerter_parallelization_factor
  }
  inbox               = var.inbox
  keep_failed_records = var.keep_failed_records
  kms_key_arn         = local.kms_key_arn
  name_prefix         = var.name_prefix
  region              = var.region
  require_tls         = !local.emulated
  roles               = local.roles
  schedules_enabled   = var.schedules_enabled
  subscriptions       = var.subscriptions
  table_arn           = module.store.table_arn
  table_name          = module.store.table_name
}

module "heartbeat" {
  source = "./modules/lambda"

  architecture         = var.lambda_architecture
  check_input          = jsonencode({ weir = "check" })
  description          = "Keeps event time moving and probes the path end to end."
  kms_key_arn          = local.kms_key_arn
  log_retention_days   = var.log_retention_days
  memory_mb            = var.heartbeat_memory_mb
  name                 = "${var.name_prefix}-heartbeat"
  package_check        = !local.emulated
  reserved_concurrency = var.heartbeat_reserved_concurrency
  roles                = local.roles
  timeout_seconds      = var.heartbeat_timeout_seconds
  tracing_enabled      = var.tracing_enabled
  zip_path             = local.zip.heartbeat

  environment = merge(local.function_environment, {
    WEIR_EVENTS_STREAM  = module.streams.names["events"]
    WEIR_HEARTBEAT_TIME = var.heartbeat_time
    WEIR_TABLE_NAME     = module.store.table_name
    }, length(local.heartbeat_streams) == 0 ? {} : {
    WEIR_HEARTBEAT_STREAMS = join(",", values(local.heartbeat_streams))
    }, local.arroyo ? {
    WEIR_ARROYO_API_KEY_SECRET = module.arroyo_secrets["api-key"].name
    WEIR_ARROYO_API_URL        = module.arroyo[0].api_url
  } : {})

  policy_statements = merge({
    # One control record per open shard, put under that shard's hash key.
    PutHeartbeats = {
      actions = ["kinesis:ListShards", "kinesis:PutRecords"]
      # Nothing else: a stream that exists gets none unless its file says so.
      resources = concat([module.streams.arns["events"]], [for name in keys(local.heartbeat_streams) : local.stream_arns[name]])
    }
    # Did the last probe arrive, and when.
    ReadProbes = {
      actions   = ["dynamodb:GetItem"]
      resources = [module.store.table_arn]
    }
    }, length(local.heartbeat_keys) == 0 ? {} : {
    # Keys of streams that exist and take heartbeats. To put needs no more:
    # https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
    UseStreamKeys = {
      actions   = ["kms:GenerateDataKey"]
      resources = local.heartbeat_keys
    }
    }, local.arroyo ? {
    # How often a failed pipeline was restarted this hour.
    CountRestarts = {
      actions   = ["dynamodb:UpdateItem"]
      resources = [module.store.table_arn]
    }
    ReadArroyoKey = {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [module.arroyo_secrets["api-key"].arn]
    }
  } : {})

  schedules = {
    heartbeat = { expression = "rate(1 minute)", input = "{}" }
  }
  schedules_enabled = var.schedules_enabled

  # Arroyo's API listens inside the VPC only.
  vpc = local.arroyo ? {
    security_group_ids = [module.arroyo[0].client_security_group_id]
    subnet_ids         = local.network.subnet_ids
  } : null
}

module "observability" {
  source = "./modules/observability"
  count  = var.observability_enabled ? 1 : 0

  alerter_dlq_name      = module.alerts.alerter_dlq_name
  alerter_function_name = module.alerts.alerter_function_name
  anomalies_stream_name = module.streams.names["anomalies"]
  arroyo = local.arroyo ? {
    checkpoint_metrics   = module.arroyo[0].checkpoint_metrics
    cluster_name         = module.arroyo[0].cluster_name
    control_service_name = module.arroyo[0].control_service_name
    database_identifier  = module.arroyo[0].database_identifier
    database_is_cluster  = var.arroyo_database.engine == "aurora-postgresql"
    state_bucket         = module.arroyo[0].state_bucket
  } : null
  budget                  = var.budget
  checkpoint_age_seconds  = var.alarm_checkpoint_age_seconds
  embedded_pipeline       = local.embedded_pipeline
  engine                  = local.embedded ? { cluster_name = module.engine[0].cluster_name, service_name = module.engine[0].service_name } : null
  events_stream_name      = module.streams.names["events"]
  heartbeat_function_name = module.heartbeat.function_name
  heartbeats_of_streams   = length(local.heartbeat_streams) > 0
  iterator_age_seconds    = var.alarm_iterator_age_seconds
  kms_key_arn             = local.kms_key_arn
  name_prefix             = var.name_prefix
  probe_missing_minutes   = var.alarm_probe_missing_minutes
  probe_slow_seconds      = var.alarm_probe_slow_seconds
  quarantine_queue_name   = module.alerts.quarantine_queue_name
  region                  = var.region
  runbook_url             = var.runbook_url
  streams = {
    for name, stream in local.streams : name => {
      created     = stream.create
      near        = stream.near
      gate        = stream.gated ? { dlq_name = module.gate[name].dlq_name, function_name = module.gate[name].function_name, plain_stream_name = module.streams.names["${name}-plain"] } : null
      stream_name = stream.name
    }
  }
  subscriptions          = var.alarm_subscriptions
  table_name             = module.store.table_name
  undelivered_queue_name = module.alerts.undelivered_queue_name
}
