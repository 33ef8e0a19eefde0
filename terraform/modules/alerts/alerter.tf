module "alerter" {
  source = "../lambda"

  architecture         = var.alerter.architecture
  check_input          = jsonencode({ weir = "check" })
  description          = "Persists each anomaly once and alerts what is new."
  kms_key_arn          = var.kms_key_arn
  log_retention_days   = var.alerter.log_retention_days
  memory_mb            = var.alerter.memory_mb
  name                 = "${var.name_prefix}-alerter"
  reserved_concurrency = var.alerter.reserved_concurrency
  roles                = var.roles
  timeout_seconds      = var.alerter.timeout_seconds
  tracing_enabled      = var.alerter.tracing_enabled
  zip_path             = var.alerter.zip_path

  environment = merge(var.alerter.environment, {
    WEIR_QUARANTINE_URL = aws_sqs_queue.this["quarantine"].url
    WEIR_TABLE_NAME     = var.table_name
    WEIR_TOPIC_ARN      = aws_sns_topic.alerts.arn
  })

  package_check = var.alerter.package_check

  policy_statements = merge({
    # What Lambda itself needs to read the stream for the function.
    ReadAnomalies = {
      actions = [
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
      ]
      resources = [var.anomalies_stream_arn]
    }
    # SendMessage and SendMessageBatch are one permission; the start-up check reads the attributes.
    Quarantine = {
      actions   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
      resources = [aws_sqs_queue.this["quarantine"].arn]
    }
    Publish = {
      actions   = ["sns:GetTopicAttributes", "sns:Publish"]
      resources = [aws_sns_topic.alerts.arn]
    }
    # Anomalies are written by PartiQL, 25 conditional writes a call; the rest one by one.
    Store = {
      actions = [
        "dynamodb:GetItem",
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLUpdate",
        "dynamodb:UpdateItem",
      ]
      resources = [var.table_arn]
    }
    # By rule: alerts that are due or open, silences. By key: how many anomalies an alert speaks for.
    Look = {
      actions   = ["dynamodb:Query"]
      resources = ["${var.table_arn}/index/by_key", "${var.table_arn}/index/by_rule"]
    }
    }, var.keep_failed_records ? {
    # Lambda writes the object, and lists to see whether the bucket is there.
    FindFailuresBucket = {
      actions   = ["s3:ListBucket"]
      resources = [aws_s3_bucket.failures[0].arn]
    }
    KeepFailedBatches = {
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.failures[0].arn}/aws/lambda/*"]
    }
    } : {
    ReportFailedBatches = {
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.this["alerter-dlq"].arn]
    }
  })

  schedules = {
    sweep = { expression = "rate(1 minute)", input = jsonencode({ weir = "sweep" }) }
  }
  schedules_enabled = var.schedules_enabled
}

resource "aws_lambda_event_source_mapping" "anomalies" {
  event_source_arn = var.anomalies_stream_arn
  function_name    = module.alerter.function_arn

  batch_size                         = var.event_source.batch_size
  bisect_batch_on_function_error     = var.event_source.bisect_on_error
  function_response_types            = ["ReportBatchItemFailures"]
  maximum_batching_window_in_seconds = var.event_source.batching_window_seconds
  maximum_record_age_in_seconds      = var.event_source.maximum_record_age_seconds
  maximum_retry_attempts             = var.event_source.maximum_retry_attempts
  parallelization_factor             = var.event_source.parallelization_factor
  # From the start: an anomaly written before the mapping existed is read too; ids make a second reading harmless.
  starting_position = "TRIM_HORIZON"

  destination_config {
    on_failure {
      destination_arn = var.keep_failed_records ? aws_s3_bucket.failures[0].arn : aws_sqs_queue.this["alerter-dlq"].arn
    }
  }

  # No record reaches a function whose start-up check failed.
  depends_on = [module.alerter]
}
