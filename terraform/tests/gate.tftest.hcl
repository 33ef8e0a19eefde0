# The gate: what it reads, what it may write, and how batches reach it.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  declaration          = "envelope = \"cloudwatch_logs\"\nformat = \"logfmt\"\n[fields]\nstatus = \"integer\"\n"
  function             = { zip_path = "tests/packages/arm64.zip" }
  name_prefix          = "weir"
  plain_stream_arn     = "arn:aws:kinesis:eu-central-1:111122223333:stream/weir-vpc_flows-plain"
  plain_stream_name    = "weir-vpc_flows-plain"
  quarantine_queue_arn = "arn:aws:sqs:eu-central-1:111122223333:weir-quarantine"
  quarantine_queue_url = "https://sqs.eu-central-1.amazonaws.com/111122223333/weir-quarantine"
  stream               = "vpc_flows"
  stream_arn           = "arn:aws:kinesis:eu-central-1:111122223333:stream/flow-logs"
}

run "it_writes_to_nothing_but_its_own" {
  module { source = "./modules/gate" }

  assert {
    condition = toset(flatten([
      for s in jsondecode(output.policy_json).Statement : s.Action if contains(s.Resource, var.stream_arn)
    ])) == toset(["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"])
    error_message = "the stream is read and nothing else"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(output.policy_json).Statement : s.Resource if contains(s.Action, "kinesis:PutRecords")
    ])) == toset([var.plain_stream_arn])
    error_message = "rows go to the plain stream alone"
  }

  assert {
    condition     = alltrue([for s in jsondecode(output.policy_json).Statement : !strcontains(join(" ", s.Action), "kms:")])
    error_message = "no key is used that nobody named"
  }

  assert {
    condition     = output.function_name == "weir-gate-vpc-flows" && output.dlq_name == "weir-gate-vpc-flows-dlq"
    error_message = "names are those of docs/contracts.md"
  }
}

run "it_uses_the_key_of_the_stream_to_read_and_its_own_for_the_rest" {
  module { source = "./modules/gate" }

  variables {
    kms_key_arn        = "arn:aws:kms:eu-central-1:111122223333:key/ours"
    stream_kms_key_arn = "arn:aws:kms:eu-central-1:444455556666:key/theirs"
  }

  assert {
    condition = alltrue([
      for s in jsondecode(output.policy_json).Statement : s.Action == ["kms:Decrypt"] if contains(s.Resource, var.stream_kms_key_arn)
      ]) && length([
      for s in jsondecode(output.policy_json).Statement : s if contains(s.Resource, var.stream_kms_key_arn)
    ]) == 1
    error_message = "their key reads, and encrypts nothing"
  }

  assert {
    condition     = aws_sqs_queue.dlq.kms_master_key_id == var.kms_key_arn
    error_message = "what Weir owns has Weir's key"
  }
}

run "an_outage_gives_nothing_up_and_a_batch_ends" {
  module { source = "./modules/gate" }

  assert {
    condition = alltrue([
      aws_lambda_event_source_mapping.stream.bisect_batch_on_function_error,
      aws_lambda_event_source_mapping.stream.function_response_types == toset(["ReportBatchItemFailures"]),
      aws_lambda_event_source_mapping.stream.maximum_record_age_in_seconds == -1,
      aws_lambda_event_source_mapping.stream.maximum_retry_attempts == 10000,
      aws_lambda_event_source_mapping.stream.parallelization_factor == 1,
      aws_lambda_event_source_mapping.stream.starting_position == "TRIM_HORIZON",
      aws_lambda_event_source_mapping.stream.destination_config[0].on_failure[0].destination_arn == aws_sqs_queue.dlq.arn,
    ])
    error_message = "single records are reported, an outage drops none, a record that always fails ends, and what is given up has a name"
  }
}

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html: -1 is infinite, and ages of 0 to 59 are refused.
run "no_retry_limit_beside_an_age" {
  command = plan
  module { source = "./modules/gate" }

  variables {
    event_source = { maximum_record_age_seconds = 3600, maximum_retry_attempts = -1 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.stream.maximum_retry_attempts == -1 && aws_lambda_event_source_mapping.stream.maximum_record_age_in_seconds == 3600
    error_message = "-1 is handed on: no limit but the age"
  }
}

run "no_limit_at_all" {
  command = plan
  module { source = "./modules/gate" }

  variables {
    event_source = { maximum_record_age_seconds = -1, maximum_retry_attempts = -1 }
  }

  expect_failures = [var.event_source]
}

run "an_age_that_lambda_does_not_take" {
  command = plan
  module { source = "./modules/gate" }

  variables {
    event_source = { maximum_record_age_seconds = 59 }
  }

  expect_failures = [var.event_source]
}

run "a_declaration_that_no_environment_holds" {
  command = plan
  module { source = "./modules/gate" }

  variables {
    # Digits of hashes, which nothing makes smaller.
    declaration = join("", [for n in range(200) : "f${n} = { type = \"text\", path = \"${sha256(tostring(n))}\" }\n"])
  }

  expect_failures = [var.declaration]
}

run "a_position_that_there_is_not" {
  command = plan
  module { source = "./modules/gate" }

  variables {
    event_source = { starting_position = "AT_TIMESTAMP" }
  }

  expect_failures = [var.event_source]
}
