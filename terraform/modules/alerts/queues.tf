locals {
  queues = merge(
    {
      # What the alerter gave up on: shard and sequence numbers, or where S3 has the records (failures.tf).
      alerter-dlq = { allow_bucket = var.keep_failed_records, allow_topic = false }
      # Poison: raw bytes and reason, one message a record.
      quarantine = { allow_bucket = false, allow_topic = false }
    },
    # Every alert, for the demo, for tests and for people who read by hand.
    var.inbox ? { inbox = { allow_bucket = false, allow_topic = true } } : {},
    # Alerts that SNS could not hand to a subscriber.
    length(var.subscriptions) > 0 ? { undelivered = { allow_bucket = false, allow_topic = true } } : {},
  )

  # Built from the name: the policy is part of the queue, because a policy resource of its own would double the
  # provider's fixed wait of 25 s for a queue's attributes.
  queue_arns = {
    for key in keys(local.queues) :
    key => "${replace(aws_sns_topic.alerts.arn, "/^(arn:[^:]+):sns:([^:]+):([^:]+):.*$/", "$1:sqs:$2:$3")}:${var.name_prefix}-${key}"
  }

  queue_statements = {
    for key, queue in local.queues : key => concat(
      queue.allow_topic ? [{
        Sid       = "AllowTopic"
        Effect    = "Allow"
        Action    = ["sqs:SendMessage"]
        Principal = { Service = "sns.amazonaws.com" }
        Resource  = [local.queue_arns[key]]
        Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.alerts.arn } }
      }] : [],
      queue.allow_bucket ? [{
        Sid       = "AllowBucket"
        Effect    = "Allow"
        Action    = ["sqs:SendMessage"]
        Principal = { Service = "s3.amazonaws.com" }
        Resource  = [local.queue_arns[key]]
        Condition = {
          ArnEquals    = { "aws:SourceArn" = aws_s3_bucket.failures[0].arn }
          StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id }
        }
      }] : [],
      var.require_tls ? [{
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Action    = ["sqs:ReceiveMessage", "sqs:SendMessage"]
        Principal = "*"
        Resource  = [local.queue_arns[key]]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }] : [],
    )
  }
}

resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                      = "${var.name_prefix}-${each.key}"
  kms_master_key_id         = var.kms_key_arn
  message_retention_seconds = 1209600 # 14 days, the most SQS allows: people take holidays.
  policy = each.value.allow_bucket || each.value.allow_topic || var.require_tls ? jsonencode({
    Version   = "2012-10-17"
    Statement = local.queue_statements[each.key]
  }) : null
  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null
}
