locals {
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      # Only tasks of this account (the confused deputy).
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })

  # 111122223333.dkr.ecr.eu-central-1.amazonaws.com/name:tag is the only shape that needs permission to pull.
  ecr = one(regexall("^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.amazonaws\\.com(?:\\.cn)?/([^:@]+)", var.image))

  key_statements = var.kms_key_arn == null ? [] : [{
    Sid      = "UseKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
  }]
}

# What ECS does before Arroyo starts: pull, fetch secrets, log.
resource "aws_iam_role" "execution" {
  name                 = "${local.name}-execution"
  assume_role_policy   = local.assume_role_policy
  description          = "Starts Arroyo's tasks."
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ReadSecrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = [var.api_key_secret_arn, var.database_password_secret_arn]
        },
        {
          Sid      = "WriteLogs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = [for group in aws_cloudwatch_log_group.this : "${group.arn}:log-stream:*"]
        },
      ],
      local.ecr == null ? [] : [
        {
          Sid      = "PullImage"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = ["arn:${data.aws_partition.current.partition}:ecr:${local.ecr[1]}:${local.ecr[0]}:repository/${local.ecr[2]}"]
        },
        {
          Sid    = "LogInToRegistry"
          Effect = "Allow"
          Action = ["ecr:GetAuthorizationToken"]
          # ECR knows no resource for it.
          Resource = ["*"]
        },
      ],
      var.kms_key_arn == null ? [] : [{
        Sid      = "ReadEncryptedSecrets"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.kms_key_arn]
      }],
    )
  })
}

# What Arroyo does: read events, write anomalies, keep its state.
resource "aws_iam_role" "task" {
  name                 = "${local.name}-task"
  assume_role_policy   = local.assume_role_policy
  description          = "What Arroyo's pipelines may do."
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary
}

resource "aws_iam_role_policy" "task" {
  name = "pipelines"
  role = aws_iam_role.task.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ReadEvents"
          Effect   = "Allow"
          Action   = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
          Resource = sort(concat([var.events_stream_arn], var.read_stream_arns))
        },
        {
          Sid      = "WriteAnomalies"
          Effect   = "Allow"
          Action   = ["kinesis:PutRecords"]
          Resource = [var.anomalies_stream_arn]
        },
        {
          Sid      = "KeepState"
          Effect   = "Allow"
          Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
          Resource = ["${aws_s3_bucket.state.arn}/artifacts/*", "${aws_s3_bucket.state.arn}/checkpoints/*"]
        },
        {
          # Without a condition on the prefix: GET of an object that is not there is 404 only for who may list, else 403, and
          # Arroyo's clean-up of checkpoints must see that one is gone. The bucket is Arroyo's alone.
          # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
          Sid      = "FindState"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [aws_s3_bucket.state.arn]
        },
        {
          Sid    = "OpenTunnel"
          Effect = "Allow"
          Action = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
          # Session Manager knows no resources for these four.
          Resource = ["*"]
        },
        {
          Sid      = "LogTunnel"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
          Resource = [aws_cloudwatch_log_group.this["exec"].arn, "${aws_cloudwatch_log_group.this["exec"].arn}:log-stream:*"]
        },
        {
          Sid    = "FindTunnelLog"
          Effect = "Allow"
          Action = ["logs:DescribeLogGroups"]
          # It lists groups, so it has no single one as its resource.
          Resource = ["*"]
        },
      ],
      local.key_statements,
      length(var.read_key_arns) == 0 ? [] : [{
        # The keys of streams that are somebody else's, to read them.
        Sid      = "ReadStreamKeys"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = sort(var.read_key_arns)
      }],
    )
  })
}
