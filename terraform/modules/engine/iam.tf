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
  ecr = one(regexall("^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.amazonaws\\.com/([^:@]+)", var.image))
}

# What ECS does before the engine starts: pull, log.
resource "aws_iam_role" "execution" {
  name                 = "${local.name}-execution"
  assume_role_policy   = local.assume_role_policy
  description          = "Starts the engine's task."
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.this.arn}:log-stream:*"]
      }],
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
    )
  })
}

# What the engine does: read events, write anomalies and poison, run the program that is wanted, keep its state.
resource "aws_iam_role" "task" {
  name                 = "${local.name}-task"
  assume_role_policy   = local.assume_role_policy
  description          = "What the engine may do."
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary
}

resource "aws_iam_role_policy" "task" {
  name = "engine"
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
          # Poison takes the same way, and the alerter puts it into quarantine.
          Sid      = "WriteAnomalies"
          Effect   = "Allow"
          Action   = ["kinesis:PutRecords"]
          Resource = [var.anomalies_stream_arn]
        },
        {
          Sid      = "ReadWhatIsWanted"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = ["${aws_s3_bucket.state.arn}/packs/*", "${aws_s3_bucket.state.arn}/wanted.json"]
        },
        {
          Sid      = "KeepState"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject"]
          Resource = ["${aws_s3_bucket.state.arn}/observed.json", "${aws_s3_bucket.state.arn}/state/*"]
        },
        {
          # Without a condition on the prefix: GET of an object that is not there is 404 only for who may list, else 403, and the first
          # start of a program must see that there is no state. The bucket is the engine's alone.
          # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
          Sid      = "FindState"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [aws_s3_bucket.state.arn]
        },
      ],
      local.state_key_statements,
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
