mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name     = "weir-probe"
  zip_path = "./tests/packages/arm64.zip"
}

run "defaults" {
  module { source = "./modules/lambda" }

  assert {
    condition     = aws_lambda_function.this.runtime == "provided.al2023" && aws_lambda_function.this.architectures[0] == "arm64" && aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "a traced arm64 function on provided.al2023"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/weir-probe" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "logs are kept for 30 days, not for ever"
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 0 && length(aws_iam_role.scheduler) == 0 && length(aws_lambda_invocation.check) == 0
    error_message = "what is not asked for is not made"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.this.policy).Statement : s.Action])) == toset([
      "logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
    ])
    error_message = "a function may write its logs and traces, and nothing else"
  }
}

run "schedule_and_check" {
  module { source = "./modules/lambda" }

  variables {
    check_input = "{\"weir\":\"check\"}"
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/k"
    schedules   = { sweep = { expression = "rate(1 minute)", input = "{\"weir\":\"sweep\"}" } }
    policy_statements = {
      Read = { actions = ["dynamodb:GetItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/t"] }
    }
    tracing_enabled = false
  }

  assert {
    condition     = aws_scheduler_schedule.this["sweep"].state == "ENABLED" && aws_scheduler_schedule.this["sweep"].target[0].retry_policy[0].maximum_retry_attempts == 0
    error_message = "the schedule runs and is not retried: it comes again"
  }

  assert {
    condition     = aws_lambda_invocation.check[0].input == "{\"weir\":\"check\"}" && length(aws_lambda_invocation.check[0].triggers) == 3
    error_message = "the check runs again when code, environment or permissions change"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.scheduler[0].policy).Statement[0] == {
      Sid      = "InvokeFunction"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = ["arn:aws:lambda:eu-central-1:111122223333:function:mock"]
    }
    error_message = "the scheduler may call this function only"
  }

  assert {
    condition     = jsondecode(aws_iam_role.scheduler[0].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "only this account's schedules may take the role"
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn && aws_scheduler_schedule.this["sweep"].kms_key_arn == var.kms_key_arn
    error_message = "environment, logs and schedules use the caller's key"
  }

  assert {
    condition     = alltrue(flatten([for s in jsondecode(aws_iam_role_policy.this.policy).Statement : [for r in s.Resource : r != "*"]]))
    error_message = "without tracing no statement names every resource"
  }
}

run "roles_of_a_locked_down_account" {
  module { source = "./modules/lambda" }

  variables {
    roles     = { path = "/weir/", permissions_boundary = "arn:aws:iam::111122223333:policy/bounds" }
    schedules = { sweep = { expression = "rate(1 minute)", input = "{}" } }
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.this, aws_iam_role.scheduler[0]] :
      role.path == "/weir/" && role.permissions_boundary == "arn:aws:iam::111122223333:policy/bounds"
    ])
    error_message = "every role has the path and the boundary"
  }
}

run "switched_off" {
  module { source = "./modules/lambda" }

  variables {
    schedules         = { sweep = { expression = "rate(1 minute)", input = "{}" } }
    schedules_enabled = false
  }

  assert {
    condition     = aws_scheduler_schedule.this["sweep"].state == "DISABLED"
    error_message = "schedules can be switched off without being removed"
  }
}

run "wildcard_action" {
  command = plan
  module { source = "./modules/lambda" }

  variables {
    policy_statements = { All = { actions = ["dynamodb:*"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/t"] } }
  }

  expect_failures = [var.policy_statements]
}

run "wildcard_resource" {
  command = plan
  module { source = "./modules/lambda" }

  variables {
    policy_statements = { All = { actions = ["dynamodb:GetItem"], resources = ["*"] } }
  }

  expect_failures = [var.policy_statements]
}

run "no_package" {
  command = plan
  module { source = "./modules/lambda" }

  variables {
    zip_path = "./no-such.zip"
  }

  expect_failures = [aws_lambda_function.this]
}

run "package_for_another_machine" {
  command = plan
  module { source = "./modules/lambda" }

  variables {
    zip_path = "./tests/packages/x86_64.zip"
  }

  expect_failures = [aws_lambda_function.this]
}

run "package_replaced_after_it_was_checked" {
  command = plan
  module { source = "./modules/lambda" }

  variables {
    zip_path = "./tests/packages/replaced.zip"
  }

  expect_failures = [aws_lambda_function.this]
}

run "package_that_nobody_checked" {
  command = plan
  module { source = "./modules/lambda" }

  variables {
    zip_path = "./tests/packages/unchecked.zip"
  }

  expect_failures = [aws_lambda_function.this]
}

run "package_of_the_local_stack" {
  module { source = "./modules/lambda" }

  variables {
    package_check = false
    zip_path      = "./tests/packages/unchecked.zip"
  }

  assert {
    condition     = aws_lambda_function.this.filename == "./tests/packages/unchecked.zip"
    error_message = "the emulator runs what this machine runs"
  }
}

run "limits" {
  command = plan
  module { source = "./modules/lambda" }

  variables {
    architecture         = "riscv"
    log_retention_days   = 31
    memory_mb            = 64
    reserved_concurrency = 0
    schedules            = { sweep = { expression = "each minute", input = "{}" } }
    timeout_seconds      = 901
  }

  expect_failures = [
    var.architecture, var.log_retention_days, var.memory_mb, var.reserved_concurrency, var.schedules, var.timeout_seconds,
  ]
}

run "inside_a_vpc" {
  module { source = "./modules/lambda" }

  variables {
    tracing_enabled = false
    vpc             = { security_group_ids = ["sg-1"], subnet_ids = ["subnet-1"] }
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-1"])
    error_message = "the function runs with the groups it was given"
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this.policy).Statement : s.Sid if contains(s.Resource, "*")] == ["JoinVpc"]
    error_message = "only the permission to join the VPC names every resource, as AWS demands"
  }
}

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
run "an_environment_that_lambda_does_not_take" {
  command = plan
  module { source = "./modules/lambda" }

  variables {
    environment = { WEIR_HEARTBEAT_STREAMS = join(",", [for n in range(60) : "arn:aws:kinesis:eu-central-1:444455556666:stream/a-stream-of-somebody-${n}"]) }
  }

  expect_failures = [aws_lambda_function.this]
}
