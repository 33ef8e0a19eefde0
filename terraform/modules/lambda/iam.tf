# Policies are written with jsonencode, not with the policy document data source: `terraform test` mocks data
# sources, and then there would be no JSON left to look for wildcards in.

data "aws_caller_identity" "current" {}

locals {
  statements = concat(
    [{
      Sid    = "WriteLogs"
      Effect = "Allow"
      Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
      # The group is ours alone; Lambda chooses the names of its streams.
      Resource = ["${aws_cloudwatch_log_group.this.arn}:log-stream:*"]
    }],
    var.tracing_enabled ? [{
      Sid    = "WriteTraces"
      Effect = "Allow"
      Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      # X-Ray knows no resources for these two.
      Resource = ["*"]
    }] : [],
    var.kms_key_arn == null ? [] : [{
      Sid      = "UseKey"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = [var.kms_key_arn]
    }],
    var.vpc == null ? [] : [{
      Sid    = "JoinVpc"
      Effect = "Allow"
      Action = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
      # Lambda makes the interfaces itself, under ids that nobody knows before, and insists on every resource.
      Resource = ["*"]
    }],
    [for sid, statement in var.policy_statements : {
      Sid      = sid
      Effect   = "Allow"
      Action   = sort(statement.actions)
      Resource = sort(statement.resources)
    }],
  )
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "What ${var.name} may do."
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "function"
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
  role   = aws_iam_role.this.id
}

resource "aws_iam_role" "scheduler" {
  count = length(var.schedules) > 0 ? 1 : 0

  name                 = "${var.name}-schedule"
  description          = "Lets EventBridge Scheduler call ${var.name}."
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      # Only schedules of this account (the confused deputy).
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  count = length(var.schedules) > 0 ? 1 : 0

  name = "invoke"
  role = aws_iam_role.scheduler[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "InvokeFunction"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = [aws_lambda_function.this.arn]
      }],
      var.kms_key_arn == null ? [] : [{
        Sid      = "ReadInput"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.kms_key_arn]
      }],
    )
  })
}
