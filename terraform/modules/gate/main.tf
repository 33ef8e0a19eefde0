locals {
  declaration = base64gzip(var.declaration)
  name        = "${var.name_prefix}-gate-${replace(var.stream, "_", "-")}"
}

module "function" {
  source = "../lambda"

  architecture       = var.function.architecture
  check_input        = jsonencode({ weir = "check" })
  description        = "Unpacks ${var.stream} for Arroyo."
  kms_key_arn        = var.kms_key_arn
  log_retention_days = var.function.log_retention_days
  memory_mb          = var.function.memory_mb
  name               = local.name
  package_check      = var.function.package_check
  roles              = var.roles
  timeout_seconds    = var.function.timeout_seconds
  tracing_enabled    = var.function.tracing_enabled
  zip_path           = var.function.zip_path

  environment = merge(var.function.environment, {
    WEIR_DECLARATION    = local.declaration
    WEIR_PLAIN_STREAM   = var.plain_stream_name
    WEIR_QUARANTINE_URL = var.quarantine_queue_url
    WEIR_STREAM         = var.stream
  })

  policy_statements = merge({
    # What Lambda itself needs to read the stream for the function.
    ReadStream = {
      actions = [
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
      ]
      resources = [var.stream_arn]
    }
    PutRows = {
      actions   = ["kinesis:ListShards", "kinesis:PutRecords"]
      resources = [var.plain_stream_arn]
    }
    # SendMessage and SendMessageBatch are one permission; the start-up check reads the attributes.
    Quarantine = {
      actions   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
      resources = [var.quarantine_queue_arn]
    }
    ReportFailedBatches = {
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.dlq.arn]
    }
    }, var.stream_kms_key_arn == null ? {} : {
    # The key of somebody else's stream, to read it.
    ReadStreamKey = {
      actions   = ["kms:Decrypt"]
      resources = [var.stream_kms_key_arn]
    }
  })
}

# Batches that the gate gave up on: shard and sequence numbers. The records are on their stream for as long as it keeps them.
resource "aws_sqs_queue" "dlq" {
  name                      = "${local.name}-dlq"
  kms_master_key_id         = var.kms_key_arn
  message_retention_seconds = 1209600 # 14 days, the most SQS allows: people take holidays.
  policy = !var.require_tls ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Action    = ["sqs:ReceiveMessage", "sqs:SendMessage"]
      Principal = "*"
      # Built from the name: the policy is part of the queue.
      Resource  = ["${replace(var.quarantine_queue_arn, "/[^:]+$/", "")}${local.name}-dlq"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null
}

resource "aws_lambda_event_source_mapping" "stream" {
  event_source_arn = var.stream_arn
  function_name    = module.function.function_arn

  batch_size = var.event_source.batch_size
  # A batch that ends the process, by its size or by a fault of ours, is halved until one record is left.
  bisect_batch_on_function_error     = true
  function_response_types            = ["ReportBatchItemFailures"]
  maximum_batching_window_in_seconds = var.event_source.batching_window_seconds
  maximum_record_age_in_seconds      = var.event_source.maximum_record_age_seconds
  maximum_retry_attempts             = var.event_source.maximum_retry_attempts
  # One: batches of one shard that run beside each other keep order by partition key, and rows have another key.
  parallelization_factor = 1
  starting_position      = var.event_source.starting_position

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.dlq.arn
    }
  }

  # No record reaches a function whose start-up check failed.
  depends_on = [module.function]
}
