data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name  = "${var.name_prefix}-arroyo"
  image = var.image_digest == null ? var.image : "${var.image}@${var.image_digest}"

  # Ports of Arroyo 0.15 (its default.toml).
  ports = { admin = 5114, api = 5115, controller = 5116, node = 5118 }

  # With no node of its own the control task runs the pipelines as its child processes.
  nodes = var.worker_count > 0

  # Where the control task is found, and for how long a resolver believes that it is not there.
  control_host             = "control.${local.namespace}"
  namespace                = "${local.name}.internal"
  namespace_id             = aws_cloudformation_stack.namespace.outputs["Id"]
  no_such_name_ttl_seconds = 5

  # Common to control and nodes: the workers of a node inherit it.
  environment = merge({
    ARROYO__CHECKPOINT_URL              = "s3://${aws_s3_bucket.state.bucket}/checkpoints"
    ARROYO__COMPILER__ARTIFACT_URL      = "s3://${aws_s3_bucket.state.bucket}/artifacts"
    ARROYO__DEFAULT_CHECKPOINT_INTERVAL = "${var.checkpoint_interval_seconds}s"
    ARROYO__DISABLE_TELEMETRY           = "true"
    ARROYO__LOGGING__FORMAT             = "json"
    # Two readers, two conventions: the Kinesis client takes AWS_REGION, the S3 client AWS_DEFAULT_REGION.
    AWS_DEFAULT_REGION = var.region
    AWS_REGION         = var.region
    }, var.source_batches == "latency" ? {} : {
    # Arroyo 0.15 never resets the age of the batch that it fills, so that 100 ms after a start each record is a batch. A linger
    # longer than any job leaves a batch to its size and to checkpoints.
    ARROYO__PIPELINE__SOURCE_BATCH_LINGER = "87600h"
    # Larger ones cost little less, hold back more anomalies behind one another, and may hold 512 records of 1 MiB in memory.
    ARROYO__PIPELINE__SOURCE_BATCH_SIZE = "32"
  })

  control_environment = merge(local.environment, {
    ARROYO__API__AUTH_MODE__TYPE = "static-api-key"
    # Functions in Rust are code that runs on the cluster: only an image that brings a compiler takes them, none is fetched.
    ARROYO__COMPILER__INSTALL_CLANG              = "false"
    ARROYO__COMPILER__INSTALL_RUSTC              = "false"
    ARROYO__CONTROLLER__SCHEDULER                = local.nodes ? "node" : "process"
    ARROYO__DATABASE__POSTGRES__DATABASE_NAME    = local.database.name
    ARROYO__DATABASE__POSTGRES__HOST             = local.database.host
    ARROYO__DATABASE__POSTGRES__PORT             = tostring(local.database.port)
    ARROYO__DATABASE__POSTGRES__USER             = local.database.user
    ARROYO__DATABASE__TYPE                       = "postgres"
    ARROYO__PIPELINE__ALLOWED_RESTARTS           = tostring(var.allowed_restarts)
    ARROYO__PROCESS_SCHEDULER__SLOTS_PER_PROCESS = tostring(var.task_slots)
    # Not read by Arroyo: a new version of a secret must replace the task, which reads secrets only when it starts.
    WEIR_SECRETS_VERSION = tostring(var.secrets_version)
    }, local.nodes ? {
    ARROYO__CONTROLLER_ENDPOINT = "http://${local.control_host}:${local.ports.controller}"
  } : {})

  node_environment = merge(local.environment, {
    ARROYO__CONTROLLER_ENDPOINT = "http://${local.control_host}:${local.ports.controller}"
    ARROYO__NODE__TASK_SLOTS    = tostring(var.task_slots)
  })
}
