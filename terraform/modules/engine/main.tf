data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name = "${var.name_prefix}-engine"

  # What the image has as its entry point and user (Containerfile), said again: what runs does not hang on how an image was built.
  weir = "/usr/local/bin/weir"
  user = "65532:65532"

  # Where `weir health` asks. Only the task itself reaches it: it is bound to the loopback address.
  metrics_port = 9464

  # At a takeover two programs run side by side, each with its state and, while a checkpoint is written, a copy of it. The rest is
  # for what is under way between operators and for the process itself.
  process_memory_mb = 256
  state_limit_mb    = floor((var.memory_mb - local.process_memory_mb) / 4)

  # Fargate kills a task two minutes after it asked it to stop, at most.
  # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html (stopTimeout)
  stop_timeout_seconds = 120
  stop_within_seconds  = 100

  state_key_statements = var.kms_key_arn == null ? [] : [{
    Sid      = "UseKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
  }]
}
