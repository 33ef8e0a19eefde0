mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  alerter = {
    architecture = "arm64"
    environment  = { WEIR_LOG = "info" }
    zip_path     = "./tests/packages/arm64.zip"
  }
  anomalies_stream_arn = "arn:aws:kinesis:eu-central-1:111122223333:stream/weir-anomalies"
  name_prefix          = "weir"
  region               = "eu-central-1"
  table_arn            = "arn:aws:dynamodb:eu-central-1:111122223333:table/weir-anomalies"
  table_name           = "weir-anomalies"
}

run "event_source_mapping_is_finite" {
  module { source = "./modules/alerts" }

  assert {
    condition = alltrue([
      aws_lambda_event_source_mapping.anomalies.batch_size == 500,
      aws_lambda_event_source_mapping.anomalies.bisect_batch_on_function_error,
      aws_lambda_event_source_mapping.anomalies.function_response_types == toset(["ReportBatchItemFailures"]),
      aws_lambda_event_source_mapping.anomalies.maximum_batching_window_in_seconds == 1,
      aws_lambda_event_source_mapping.anomalies.maximum_record_age_in_seconds == 21600,
      aws_lambda_event_source_mapping.anomalies.maximum_retry_attempts == 1000,
      aws_lambda_event_source_mapping.anomalies.parallelization_factor == 1,
      aws_lambda_event_source_mapping.anomalies.starting_position == "TRIM_HORIZON",
    ])
    error_message = "every setting of the mapping is set: AWS' defaults retry a failing batch until it expires"
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.anomalies.destination_config[0].on_failure) == 1
    error_message = "a batch that was given up must be named somewhere"
  }
}

run "encryption_by_default" {
  module { source = "./modules/alerts" }

  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == "alias/aws/sns"
    error_message = "the topic is encrypted"
  }

  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : queue.sqs_managed_sse_enabled])
    error_message = "queues are encrypted"
  }

  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : queue.message_retention_seconds == 1209600])
    error_message = "what waits for a person waits for two weeks"
  }
}

run "encryption_with_own_key" {
  module { source = "./modules/alerts" }

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/k"
  }

  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == var.kms_key_arn && alltrue([for queue in aws_sqs_queue.this : queue.kms_master_key_id == var.kms_key_arn])
    error_message = "topic and queues use the caller's key"
  }
}

run "alerter_permissions" {
  module { source = "./modules/alerts" }

  variables {
    alerter = {
      architecture    = "arm64"
      tracing_enabled = false
      zip_path        = "./tests/packages/arm64.zip"
    }
  }

  assert {
    condition     = alltrue(flatten([for s in jsondecode(output.alerter_policy_json).Statement : [for a in s.Action : !strcontains(a, "*")]]))
    error_message = "no statement of the alerter has a wildcard action"
  }

  assert {
    condition     = alltrue(flatten([for s in jsondecode(output.alerter_policy_json).Statement : [for r in s.Resource : !strcontains(r, "*")] if s.Sid != "WriteLogs"]))
    error_message = "no statement of the alerter has a wildcard resource, but for the names of log streams"
  }

  assert {
    condition = {
      for s in jsondecode(output.alerter_policy_json).Statement : s.Sid => s.Resource if contains(["Look", "ReadAnomalies", "Store"], s.Sid)
      } == {
      Look = [
        "arn:aws:dynamodb:eu-central-1:111122223333:table/weir-anomalies/index/by_key",
        "arn:aws:dynamodb:eu-central-1:111122223333:table/weir-anomalies/index/by_rule",
      ]
      ReadAnomalies = ["arn:aws:kinesis:eu-central-1:111122223333:stream/weir-anomalies"]
      Store         = ["arn:aws:dynamodb:eu-central-1:111122223333:table/weir-anomalies"]
    }
    error_message = "the alerter reads one stream, writes one table and queries its two indexes"
  }
}

run "nothing_is_public" {
  module { source = "./modules/alerts" }

  variables {
    inbox         = true
    subscriptions = [{ protocol = "email", endpoint = "on-call@example.com" }]
  }

  assert {
    condition     = toset(keys(aws_sqs_queue.this)) == toset(["alerter-dlq", "inbox", "quarantine", "undelivered"])
    error_message = "the inbox and the undelivered queue come when asked for"
  }

  assert {
    condition = alltrue(flatten([
      for policy in concat([aws_sns_topic_policy.alerts.policy], values(aws_sqs_queue.this)[*].policy) : [
        for s in jsondecode(policy).Statement : s.Effect == "Deny" || try(s.Principal != "*", true)
      ]
    ]))
    error_message = "nothing is allowed to everyone"
  }

  assert {
    condition = alltrue([
      for policy in concat([aws_sns_topic_policy.alerts.policy], values(aws_sqs_queue.this)[*].policy) :
      contains([for s in jsondecode(policy).Statement : s.Sid], "DenyWithoutTls")
    ])
    error_message = "topic and queues refuse calls without TLS"
  }

  assert {
    condition = [for s in jsondecode(aws_sqs_queue.this["inbox"].policy).Statement : s if s.Sid == "AllowTopic"][0] == {
      Sid       = "AllowTopic"
      Effect    = "Allow"
      Action    = ["sqs:SendMessage"]
      Principal = { Service = "sns.amazonaws.com" }
      Resource  = ["arn:aws:sqs:eu-central-1:111122223333:weir-inbox"]
      Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:sns:eu-central-1:111122223333:weir-alerts" } }
    }
    error_message = "only our topic may fill the inbox"
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.this["email:on-call@example.com"].redrive_policy).deadLetterTargetArn == aws_sqs_queue.this["undelivered"].arn
    error_message = "an alert that cannot be delivered is kept"
  }
}

run "plain_http_subscriber" {
  command = plan
  module { source = "./modules/alerts" }

  variables {
    subscriptions = [{ protocol = "http", endpoint = "http://example.com" }]
  }

  expect_failures = [var.subscriptions]
}

run "filter_that_is_no_json" {
  command = plan
  module { source = "./modules/alerts" }

  variables {
    subscriptions = [{ protocol = "email", endpoint = "a@example.com", filter_policy = "severity = critical" }]
  }

  expect_failures = [var.subscriptions]
}

run "raw_mail" {
  command = plan
  module { source = "./modules/alerts" }

  variables {
    subscriptions = [{ protocol = "email", endpoint = "a@example.com", raw_message_delivery = true }]
  }

  expect_failures = [var.subscriptions]
}

# "When set to infinite (-1), failed records are retried until the record expires", which its age here always does:
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
run "no_limit_of_retries_but_the_age" {
  command = plan
  module { source = "./modules/alerts" }

  variables {
    event_source = { maximum_retry_attempts = -1 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.anomalies.maximum_retry_attempts == -1 && aws_lambda_event_source_mapping.anomalies.maximum_record_age_in_seconds == 21600
    error_message = "a failing batch ends by its age"
  }
}

run "fewer_retries_than_none" {
  command = plan
  module { source = "./modules/alerts" }

  variables {
    event_source = { maximum_retry_attempts = -2 }
  }

  expect_failures = [var.event_source]
}

run "endless_age" {
  command = plan
  module { source = "./modules/alerts" }

  variables {
    event_source = { maximum_record_age_seconds = -1 }
  }

  expect_failures = [var.event_source]
}

run "batch_too_large" {
  command = plan
  module { source = "./modules/alerts" }

  variables {
    event_source = { batch_size = 10001 }
  }

  expect_failures = [var.event_source]
}

run "failed_records_are_kept" {
  module { source = "./modules/alerts" }

  variables {
    keep_failed_records = true
  }

  assert {
    condition     = aws_lambda_event_source_mapping.anomalies.destination_config[0].on_failure[0].destination_arn == aws_s3_bucket.failures[0].arn
    error_message = "batches that were given up go to the bucket"
  }

  assert {
    condition     = aws_s3_bucket_notification.failures[0].queue[0].queue_arn == aws_sqs_queue.this["alerter-dlq"].arn
    error_message = "the queue says so"
  }

  assert {
    condition     = [for s in jsondecode(aws_sqs_queue.this["alerter-dlq"].policy).Statement : s.Condition.ArnEquals["aws:SourceArn"] if s.Sid == "AllowBucket"] == [aws_s3_bucket.failures[0].arn]
    error_message = "only this bucket may fill the queue"
  }

  assert {
    condition     = [for s in jsondecode(output.alerter_policy_json).Statement : s.Action if contains(["KeepFailedBatches", "ReportFailedBatches"], s.Sid)] == [["s3:PutObject"]]
    error_message = "the alerter may write objects, and no longer messages to that queue"
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.failures[0].restrict_public_buckets && aws_s3_bucket_versioning.failures[0].versioning_configuration[0].status == "Enabled"
    error_message = "the bucket is private and keeps versions"
  }
}
