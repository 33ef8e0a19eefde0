data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_sns_topic" "alerts" {
  name              = "${var.name_prefix}-alerts"
  display_name      = "Weir"
  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")
  tracing_config    = var.alerter.tracing_enabled ? "Active" : "PassThrough"
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "AllowThisAccount"
    actions   = ["sns:GetTopicAttributes", "sns:Publish", "sns:Subscribe"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }

  dynamic "statement" {
    for_each = var.require_tls ? [1] : []

    content {
      sid       = "DenyWithoutTls"
      effect    = "Deny"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.alerts.arn]

      condition {
        test     = "Bool"
        variable = "aws:SecureTransport"
        values   = ["false"]
      }

      principals {
        type        = "*"
        identifiers = ["*"]
      }
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.topic.json
}

resource "aws_sns_topic_subscription" "this" {
  for_each = { for s in var.subscriptions : "${s.protocol}:${s.endpoint}" => s }

  endpoint             = each.value.endpoint
  filter_policy        = each.value.filter_policy
  protocol             = each.value.protocol
  raw_message_delivery = each.value.raw_message_delivery
  redrive_policy       = jsonencode({ deadLetterTargetArn = aws_sqs_queue.this["undelivered"].arn })
  topic_arn            = aws_sns_topic.alerts.arn

  depends_on = [aws_sns_topic_policy.alerts]
}

resource "aws_sns_topic_subscription" "inbox" {
  count = var.inbox ? 1 : 0

  endpoint  = aws_sqs_queue.this["inbox"].arn
  protocol  = "sqs"
  topic_arn = aws_sns_topic.alerts.arn

  depends_on = [aws_sns_topic_policy.alerts]
}
