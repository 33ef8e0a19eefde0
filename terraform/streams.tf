# The streams of sql/streams: those that exist are read and nothing else, those that Weir makes are made beside `events`, and
# those that Arroyo cannot read pass a gate.

locals {
  # What Weir writes of a stream, with what a person says of it for this environment.
  streams = {
    for name, stream in var.streams : name => merge(stream, {
      # A bare name is a stream of this account and region.
      arn = (
        stream.create ? null : startswith(stream.arn, "arn:") ? stream.arn :
        "arn:${data.aws_partition.current.partition}:kinesis:${var.region}:${data.aws_caller_identity.current.account_id}:stream/${stream.arn}"
      )
      name = stream.create ? "${var.name_prefix}-${name}" : reverse(split("/", stream.arn))[0]
      # CloudWatch keeps a stream's metrics in the stream's own account and region.
      near = !startswith(coalesce(stream.arn, "-"), "arn:") || startswith(coalesce(stream.arn, "-"), "arn:${data.aws_partition.current.partition}:kinesis:${var.region}:${data.aws_caller_identity.current.account_id}:")
      # The embedded engine unpacks by itself.
      gated = stream.gate != null && (local.arroyo || try(stream.gate.always, false))
    })
  }

  # What is said of a stream in tfvars goes by its name; these are the defaults.
  stream_options = {
    for name in keys(var.streams) : name => merge(
      { gate_maximum_record_age_seconds = null, gate_memory_mb = 512, gate_shards = 1, gate_starting_position = "TRIM_HORIZON", kms_key_arn = null, on_demand = false, retention_hours = 24, shards = 1 },
      { for key, value in try(var.stream_options[name], {}) : key => value if value != null },
    )
  }

  own_streams = merge(
    {
      for name, stream in local.streams : name => {
        mode            = local.stream_options[name].on_demand ? "ON_DEMAND" : "PROVISIONED"
        name            = stream.name
        retention_hours = local.stream_options[name].retention_hours
        shard_count     = local.stream_options[name].shards
      } if stream.create
    },
    {
      for name, stream in local.streams : "${name}-plain" => {
        mode            = "PROVISIONED"
        name            = "${var.name_prefix}-${name}-plain"
        retention_hours = local.stream_options[name].retention_hours
        shard_count     = local.stream_options[name].gate_shards
      } if stream.gated
    },
  )

  stream_arns = { for name, stream in local.streams : name => stream.create ? module.streams.arns[name] : stream.arn }

  # What the engine reads: the stream itself, or what its gate writes.
  read_arns = [
    for name, stream in local.streams : stream.gated ? module.streams.arns["${name}-plain"] : local.stream_arns[name]
  ]
  read_keys = distinct(compact([
    for name, stream in local.streams : stream.gated || stream.create ? null : local.stream_options[name].kms_key_arn
  ]))

  # Of the streams themselves, whoever reads them.
  declared_keys = distinct(compact([for name, stream in local.streams : stream.create ? null : local.stream_options[name].kms_key_arn]))

  # Where control records may be put: what a stream's file declares `heartbeat = true`.
  heartbeat_keys = distinct(compact([
    for name, stream in local.streams : stream.heartbeat && !stream.create ? local.stream_options[name].kms_key_arn : null
  ]))
  # By name, which is short; by ARN in another account, where a name would be a stream of this one. Also of Weir's own only those whose
  # file says so: on the others a control record is poison, each minute.
  heartbeat_streams = { for name, stream in local.streams : name => stream.near ? stream.name : stream.arn if stream.heartbeat }
}

module "gate" {
  source   = "./modules/gate"
  for_each = { for name, stream in local.streams : name => stream if stream.gated }

  declaration = each.value.gate.declaration
  event_source = {
    batching_window_seconds = local.emulated ? 0 : 1
    # What is given up an hour before its stream forgets it can still be read again. How long a stream that exists keeps records is
    # its owner's to change, so there nothing is given up.
    maximum_record_age_seconds = coalesce(
      local.stream_options[each.key].gate_maximum_record_age_seconds,
      each.value.create ? min((local.stream_options[each.key].retention_hours - 1) * 3600, 604800) : -1,
    )
    starting_position = local.stream_options[each.key].gate_starting_position
  }
  function = {
    architecture       = var.lambda_architecture
    environment        = local.function_environment
    log_retention_days = var.log_retention_days
    memory_mb          = local.stream_options[each.key].gate_memory_mb
    package_check      = !local.emulated
    tracing_enabled    = var.tracing_enabled
    zip_path           = local.zip.gate
  }
  kms_key_arn          = local.kms_key_arn
  name_prefix          = var.name_prefix
  plain_stream_arn     = module.streams.arns["${each.key}-plain"]
  plain_stream_name    = module.streams.names["${each.key}-plain"]
  quarantine_queue_arn = module.alerts.quarantine_queue_arn
  quarantine_queue_url = module.alerts.quarantine_queue_url
  require_tls          = !local.emulated
  roles                = local.roles
  stream               = each.key
  stream_arn           = local.stream_arns[each.key]
  stream_kms_key_arn   = each.value.create ? null : local.stream_options[each.key].kms_key_arn
}
