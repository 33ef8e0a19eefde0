resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  kms_key_id        = var.kms_key_arn
  retention_in_days = var.log_retention_days
}

locals {
  # What scripts/package-lambda.py writes beside a package for AWS: the architecture and the zip's SHA-256. The hash ties the
  # two together, so that a zip that was replaced since is not taken for the one that was checked.
  package_marker  = "${var.zip_path}.arch"
  package_checked = fileexists(local.package_marker) ? trimspace(file(local.package_marker)) : ""
  package_wanted  = fileexists(var.zip_path) ? "${var.architecture} ${filesha256(var.zip_path)}" : ""
}

resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn

  architectures                  = [var.architecture]
  filename                       = var.zip_path
  handler                        = "bootstrap"
  kms_key_arn                    = var.kms_key_arn
  memory_size                    = var.memory_mb
  reserved_concurrent_executions = var.reserved_concurrency
  runtime                        = "provided.al2023"
  # Null when the zip is gone, so that `destroy` still works after `dist/` was cleaned.
  source_code_hash = fileexists(var.zip_path) ? filebase64sha256(var.zip_path) : null
  timeout          = var.timeout_seconds

  environment {
    variables = var.environment
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = var.tracing_enabled ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      security_group_ids = vpc_config.value.security_group_ids
      subnet_ids         = vpc_config.value.subnet_ids
    }
  }

  lifecycle {
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; AWS measures the variables as JSON: "exceeded
    # the 4KB limit. String measured: {…}".
    precondition {
      condition     = length(jsonencode(var.environment)) <= 4096
      error_message = "The environment of ${var.name} is ${length(jsonencode(var.environment))} bytes, and Lambda takes 4096 in all. By variable: ${join(", ", [for name, value in var.environment : "${name} ${length(value)}"])}."
    }

    precondition {
      condition     = fileexists(var.zip_path)
      error_message = "No Lambda package at ${var.zip_path}: build it first (`make package ARCH=${var.architecture}`)."
    }

    # A binary for another machine passes the plan and fails at the first call, when everything else stands: "exec format
    # error", https://github.com/aws/aws-lambda-rust-runtime/issues/25
    precondition {
      condition     = !var.package_check || !fileexists(var.zip_path) || local.package_checked == local.package_wanted
      error_message = "${var.zip_path} is not known to be for ${var.architecture}: ${local.package_checked == "" ? "there is no ${local.package_marker}" : "${local.package_marker} says ${split(" ", local.package_checked)[0]}${startswith(local.package_checked, "${var.architecture} ") ? " of another zip" : ""}"}. `make package ARCH=${var.architecture}` builds it; for a binary of your own, scripts/package-lambda.py --arch ${var.architecture} BINARY ZIP checks and packs it."
    }
  }

  # The first call must find its permissions in place.
  depends_on = [aws_iam_role_policy.this]
}

# Schedules come again by themselves: a retry of a call that failed would only run beside its successor.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0
}

# A wrong configuration fails the deploy, not the first record.
resource "aws_lambda_invocation" "check" {
  count = var.check_input == null ? 0 : 1

  function_name = aws_lambda_function.this.function_name
  input         = var.check_input

  triggers = {
    code        = aws_lambda_function.this.source_code_hash
    environment = sha256(jsonencode(aws_lambda_function.this.environment[0].variables))
    permissions = sha256(aws_iam_role_policy.this.policy)
  }
}
