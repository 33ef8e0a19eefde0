# One customer-managed key for everything, when asked for. `kms_key_arn` brings a key of one's own, whose policy must then
# allow what is allowed here.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  kms_key_arn = var.kms_key_create ? aws_kms_key.this[0].arn : var.kms_key_arn
  account_arn = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"
}

resource "aws_kms_key" "this" {
  count = var.kms_key_create ? 1 : 0

  description             = "Everything that ${var.name_prefix} keeps."
  deletion_window_in_days = var.deletion_protection ? 30 : 7
  enable_key_rotation     = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Hands the key to the account's IAM policies; without it nobody could ever change the key again.
        Sid       = "AllowIamPolicies"
        Effect    = "Allow"
        Action    = "kms:*"
        Principal = { AWS = local.account_arn }
        Resource  = "*"
      },
      {
        Sid       = "AllowLogs"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = [
              "arn:${data.aws_partition.current.partition}:logs:${var.region}:${data.aws_caller_identity.current.account_id}:log-group:/aws/lambda/${var.name_prefix}-*",
              "arn:${data.aws_partition.current.partition}:logs:${var.region}:${data.aws_caller_identity.current.account_id}:log-group:/weir/${var.name_prefix}/*",
              # The groups that RDS and Container Insights write to.
              "arn:${data.aws_partition.current.partition}:logs:${var.region}:${data.aws_caller_identity.current.account_id}:log-group:/aws/ecs/containerinsights/${var.name_prefix}-*",
              "arn:${data.aws_partition.current.partition}:logs:${var.region}:${data.aws_caller_identity.current.account_id}:log-group:/aws/rds/*/${var.name_prefix}-*",
            ]
          }
        }
      },
      {
        # Topics and buckets that fill encrypted queues; alarms and budgets that publish to encrypted topics.
        Sid       = "AllowMessaging"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "s3.amazonaws.com", "sns.amazonaws.com"] }
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  count = var.kms_key_create ? 1 : 0

  name          = "alias/${var.name_prefix}"
  target_key_id = aws_kms_key.this[0].key_id
}
