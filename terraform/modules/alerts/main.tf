data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_sns_topic" "alerts" {
  name              = "${var.name_prefix}-alerts"
  display_name      = "Weir"
  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")
  # Not "Active": SNS traces only with a resource policy of X-Ray, which is the account's and not a stack's.
  # https://docs.aws.amazon.com/sns/latest/dg/sns-active-tracing.html
  tracing_config = "PassThrough"
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "AllowThisAccount"
        Effect    = "Allow"
        Action    = ["sns:GetTopicAttributes", "sns:Publish", "sns:Subscribe"]
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
        Resource  = [aws_sns_topic.alerts.arn]
      }],
      var.require_tls ? [{
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Action    = ["sns:Publish"]
        Principal = "*"
        Resource  = [aws_sns_topic.alerts.arn]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }] : [],
    )
  })
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
