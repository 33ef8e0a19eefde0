# Declared streams in the root module: Weir never makes, changes, ends or writes to a stream that is not its own.

# Planned with the real provider, which calls nothing to plan what does not exist yet: see core.tftest.hcl.
provider "aws" {
  access_key                  = "test"
  region                      = "eu-central-1"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = "true"
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

override_data {
  target = module.alerts.data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

override_data {
  target = module.alerts.module.alerter.data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

override_data {
  target = module.gate["flows"].module.function.data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

override_data {
  target = module.heartbeat.data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

override_data {
  target = module.observability[0].data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

# What a plan knows only after an apply, so that policies can be read.
override_resource {
  target          = module.streams.aws_kinesis_stream.this
  override_during = plan
  values          = { arn = "arn:aws:kinesis:eu-central-1:111122223333:stream/weir-own" }
}

override_resource {
  target          = module.store.aws_dynamodb_table.this
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-central-1:111122223333:table/weir-anomalies" }
}

override_resource {
  target          = module.alerts.aws_sqs_queue.this
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:111122223333:weir-quarantine", url = "https://sqs.eu-central-1.amazonaws.com/111122223333/weir-quarantine" }
}

override_resource {
  target          = module.alerts.aws_sns_topic.alerts
  override_during = plan
  values          = { arn = "arn:aws:sns:eu-central-1:111122223333:weir-alerts" }
}

override_resource {
  target          = module.alerts.module.alerter.aws_cloudwatch_log_group.this
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/weir-alerter" }
}

override_resource {
  target          = module.gate["flows"].aws_sqs_queue.dlq
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:111122223333:weir-gate-flows-dlq" }
}

override_resource {
  target          = module.gate["flows"].module.function.aws_cloudwatch_log_group.this
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/weir-gate-flows" }
}

override_resource {
  target          = module.heartbeat.aws_cloudwatch_log_group.this
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/weir-heartbeat" }
}

variables {
  # Files that stand in for packages.
  alerter_zip   = "terraform/tests/packages/arm64.zip"
  gate_zip      = "terraform/tests/packages/arm64.zip"
  heartbeat_zip = "terraform/tests/packages/arm64.zip"
  region        = "eu-central-1"
  streams = {
    climate = { arn = "iot-climate" }
    flows   = { arn = "arn:aws:kinesis:eu-central-1:444455556666:stream/flow-logs", gate = { always = true, declaration = "envelope = \"cloudwatch_logs\"\nformat = \"logfmt\"\n[fields]\nstatus = \"integer\"\n" } }
    orders  = { create = true }
    pumps   = { arn = "arn:aws:kinesis:eu-central-1:111122223333:stream/pumps", heartbeat = true }
  }
  stream_options = {
    flows  = { gate_shards = 2, kms_key_arn = "arn:aws:kms:eu-central-1:444455556666:key/theirs" }
    orders = { on_demand = true }
    pumps  = { kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/pumps" }
  }
}

run "streams_that_exist_are_not_weirs_to_make" {
  command = plan

  assert {
    condition     = toset(values(module.streams.names)) == toset(["weir-events", "weir-anomalies", "weir-orders", "weir-flows-plain"])
    error_message = "a stream is Weir's when it is declared so, or when a gate writes it: ${join(", ", values(module.streams.names))}"
  }

  assert {
    condition = alltrue([
      output.streams["climate"].arn == "arn:aws:kinesis:eu-central-1:111122223333:stream/iot-climate",
      output.streams["climate"].plain_stream_name == null,
      output.streams["flows"].stream_name == "flow-logs",
      output.streams["flows"].plain_stream_name == "weir-flows-plain",
      output.streams["orders"].stream_name == "weir-orders",
      output.streams["orders"].own,
      !output.streams["climate"].own,
    ])
    error_message = "what the engine reads is told by stream: ${jsonencode(output.streams)}"
  }
}

run "what_exists_is_only_read" {
  command = plan

  # Each statement that names a stream of somebody else, in every policy that Weir writes for a function.
  assert {
    condition = alltrue(flatten([
      for policy in [module.gate["flows"].policy_json, module.heartbeat.policy_json, module.alerts.alerter_policy_json] : [
        for s in jsondecode(policy).Statement : [
          for action in s.Action : contains(["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"], action)
        ] if anytrue([for r in s.Resource : endswith(r, "stream/flow-logs") || endswith(r, "stream/iot-climate")])
      ]
    ]))
    error_message = "nothing writes to, changes or ends a stream that is not Weir's"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(module.heartbeat.policy_json).Statement : s.Resource if contains(s.Action, "kinesis:PutRecords")
      ])) == toset([
      "arn:aws:kinesis:eu-central-1:111122223333:stream/pumps",
      "arn:aws:kinesis:eu-central-1:111122223333:stream/weir-own",
    ])
    error_message = "heartbeats go to the events, and where the file says heartbeat = true"
  }

  assert {
    condition     = keys(local.heartbeat_streams) == ["pumps"]
    error_message = "on a stream that does not declare heartbeats they are poison, also on Weir's own: ${jsonencode(local.heartbeat_streams)}"
  }

  assert {
    condition     = strcontains(module.heartbeat.policy_json, "key/pumps") && !strcontains(module.heartbeat.policy_json, "key/theirs")
    error_message = "a key is used where its stream is written, and only there"
  }
}

run "the_engine_reads_what_the_gate_writes" {
  command = plan

  assert {
    condition     = length(local.read_arns) == 4 && !contains(local.read_arns, "arn:aws:kinesis:eu-central-1:444455556666:stream/flow-logs")
    error_message = "a stream with a gate is read by its gate alone"
  }

  assert {
    condition     = toset(local.read_keys) == toset(["arn:aws:kms:eu-central-1:111122223333:key/pumps"])
    error_message = "the engine has the keys of what it reads"
  }
}

run "each_stream_has_its_alarms" {
  command = plan

  assert {
    condition = length(setsubtract([
      "weir-stream-climate-behind", "weir-stream-orders-behind", "weir-stream-orders-refused", "weir-stream-flows-behind",
      "weir-gate-flows-behind", "weir-gate-flows-errors", "weir-gate-flows-throttles", "weir-gate-flows-quarantined", "weir-gate-flows-dlq", "weir-gate-flows-refused",
    ], module.observability[0].alarm_names)) == 0
    error_message = "lag by stream; errors, refusals and what was given up by gate: ${join(", ", module.observability[0].alarm_names)}"
  }

  assert {
    condition     = !contains(module.observability[0].alarm_names, "weir-stream-climate-refused")
    error_message = "the load of a stream that exists is its owner's"
  }
}

run "without_arroyo_the_engine_unpacks_by_itself" {
  command = plan

  variables {
    streams        = { flows = { arn = "flow-logs", gate = { declaration = "envelope = \"gzip\"\n[fields]\nv = \"text\"\n" } } }
    stream_options = {}
  }

  assert {
    condition     = output.streams["flows"].gate_function == null && length(local.read_arns) == 1
    error_message = "a gate is for Arroyo"
  }
}

run "a_stream_exists_or_is_made" {
  command = plan

  variables {
    streams        = { both = { arn = "b", create = true }, neither = {} }
    stream_options = {}
  }

  expect_failures = [var.streams]
}

run "weirs_own_names" {
  command = plan

  variables {
    streams        = { events = { create = true } }
    stream_options = {}
  }

  expect_failures = [var.streams]
}

run "another_region_has_no_gate" {
  command = plan

  variables {
    streams        = { flows = { arn = "arn:aws:kinesis:eu-west-1:444455556666:stream/flow-logs", gate = { always = true, declaration = "[fields]\nv = \"text\"\n" } } }
    stream_options = {}
  }

  expect_failures = [var.streams]
}

# Its gate stands only beside Arroyo.
run "the_embedded_engine_reads_other_regions" {
  command = plan

  variables {
    streams        = { flows = { arn = "arn:aws:kinesis:eu-west-1:444455556666:stream/flow-logs", gate = { declaration = "[fields]\nv = \"text\"\n" } } }
    stream_options = {}
  }

  assert {
    condition     = output.streams["flows"].gate_function == null && output.streams["flows"].arn == "arn:aws:kinesis:eu-west-1:444455556666:stream/flow-logs"
    error_message = "what stands in no region of Arroyo's is the embedded engine's to read"
  }
}

run "options_of_a_stream_that_there_is_not" {
  command = plan

  variables {
    stream_options = { flow = { gate_shards = 2 } }
  }

  expect_failures = [var.stream_options]
}

run "a_name_too_long_for_a_function" {
  command = plan

  variables {
    streams        = { a_stream_with_a_name_that_is_longer_than_it_should_be = { create = true, gate = { always = true, declaration = "[fields]\nv = \"text\"\n" } } }
    stream_options = {}
  }

  expect_failures = [var.streams]
}

run "a_gate_gives_nothing_up_before_its_stream_does" {
  command = plan

  assert {
    condition     = module.gate["flows"].maximum_record_age_seconds == -1
    error_message = "how long a stream that exists keeps records is its owner's to say"
  }
}

run "of_its_own_stream_it_gives_up_what_can_still_be_read" {
  command = plan

  variables {
    streams        = { flows = { create = true, gate = { always = true, declaration = "[fields]\nv = \"text\"\n" } } }
    stream_options = { flows = { retention_hours = 48 } }
  }

  assert {
    condition     = module.gate["flows"].maximum_record_age_seconds == 47 * 3600
    error_message = "an hour is left to read it again"
  }
}

run "no_age_is_longer_than_lambda_takes" {
  command = plan

  variables {
    streams        = { flows = { create = true, gate = { always = true, declaration = "[fields]\nv = \"text\"\n" } } }
    stream_options = { flows = { retention_hours = 8760 } }
  }

  assert {
    condition     = module.gate["flows"].maximum_record_age_seconds == 604800
    error_message = "a week is the most that Lambda takes"
  }
}

run "the_age_is_an_option" {
  command = plan

  variables {
    stream_options = { flows = { gate_maximum_record_age_seconds = 7200 } }
  }

  assert {
    condition     = module.gate["flows"].maximum_record_age_seconds == 7200
    error_message = "the option is handed on"
  }
}

run "an_age_beyond_the_streams_own" {
  command = plan

  variables {
    streams        = { flows = { create = true, gate = { always = true, declaration = "[fields]\nv = \"text\"\n" } } }
    stream_options = { flows = { gate_maximum_record_age_seconds = 86400 } }
  }

  expect_failures = [var.stream_options]
}

run "batches_of_one_shard_beside_each_other" {
  command = plan

  variables {
    stream_options = { flows = { gate_parallelization_factor = 2 } }
  }

  expect_failures = [var.stream_options]
}

run "one_batch_of_a_shard_at_a_time" {
  command = plan

  variables {
    stream_options = { flows = { gate_parallelization_factor = 1 } }
  }

  assert {
    condition     = output.streams["flows"].gate_function != null
    error_message = "who wrote down what is true is not refused"
  }
}

run "half_a_shard" {
  command = plan

  variables {
    stream_options = { flows = { gate_shards = 1.5 } }
  }

  expect_failures = [var.stream_options]
}

run "no_such_memory" {
  command = plan

  variables {
    stream_options = { flows = { gate_memory_mb = 100 } }
  }

  expect_failures = [var.stream_options]
}

run "no_such_position" {
  command = plan

  variables {
    stream_options = { flows = { gate_starting_position = "AT_TIMESTAMP" } }
  }

  expect_failures = [var.stream_options]
}

run "half_an_hour" {
  command = plan

  variables {
    stream_options = { orders = { retention_hours = 24.5 } }
  }

  expect_failures = [var.stream_options]
}

run "no_shard" {
  command = plan

  variables {
    stream_options = { orders = { shards = 0 } }
  }

  expect_failures = [var.stream_options]
}

run "a_key_of_a_stream_that_weir_makes" {
  command = plan

  variables {
    stream_options = { orders = { kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/k" } }
  }

  expect_failures = [var.stream_options]
}

run "shards_of_a_stream_that_exists" {
  command = plan

  variables {
    stream_options = { pumps = { shards = 2 } }
  }

  expect_failures = [var.stream_options]
}

run "a_mode_of_a_stream_that_exists" {
  command = plan

  variables {
    stream_options = { pumps = { on_demand = false } }
  }

  expect_failures = [var.stream_options]
}

run "shards_on_demand" {
  command = plan

  variables {
    stream_options = { orders = { on_demand = true, shards = 2 } }
  }

  expect_failures = [var.stream_options]
}

run "retention_of_a_stream_that_exists" {
  command = plan

  variables {
    stream_options = { pumps = { retention_hours = 48 } }
  }

  expect_failures = [var.stream_options]
}

run "a_gate_where_there_is_none" {
  command = plan

  variables {
    stream_options = { pumps = { gate_memory_mb = 512 } }
  }

  expect_failures = [var.stream_options]
}

run "an_age_that_is_none" {
  command = plan

  variables {
    stream_options = { flows = { gate_maximum_record_age_seconds = 0 } }
  }

  expect_failures = [var.stream_options]
}

run "its_own_events" {
  command = plan

  variables {
    streams        = { theirs = { arn = "weir-events" } }
    stream_options = {}
  }

  expect_failures = [var.streams]
}

run "its_own_anomalies_by_arn" {
  command = plan

  variables {
    streams        = { theirs = { arn = "arn:aws:kinesis:eu-central-1:111122223333:stream/weir-anomalies" } }
    stream_options = {}
  }

  expect_failures = [var.streams]
}

run "its_own_declared_stream" {
  command = plan

  variables {
    streams        = { orders = { create = true }, theirs = { arn = "weir-orders" } }
    stream_options = {}
  }

  expect_failures = [var.streams]
}

run "what_its_gate_writes" {
  command = plan

  variables {
    streams        = { flows = { arn = "flow-logs", gate = { declaration = "[fields]\nv = \"text\"\n" } }, theirs = { arn = "weir-flows-plain" } }
    stream_options = {}
  }

  expect_failures = [var.streams]
}

# The same names in another account, and a stream of another Weir in this one, are somebody else's.
run "a_stream_of_the_same_name_elsewhere" {
  command = plan

  variables {
    streams = {
      other  = { arn = "weir-dev-events" }
      theirs = { arn = "arn:aws:kinesis:eu-central-1:444455556666:stream/weir-events" }
    }
    stream_options = {}
  }

  assert {
    condition     = output.streams["theirs"].stream_name == "weir-events"
    error_message = "names are an account's"
  }
}

run "a_stream_of_another_account_is_beaten_by_its_arn_and_watched_by_nobody_here" {
  command = plan

  variables {
    streams = {
      pumps  = { arn = "arn:aws:kinesis:eu-central-1:111122223333:stream/pumps", heartbeat = true }
      theirs = { arn = "arn:aws:kinesis:eu-central-1:444455556666:stream/orders", heartbeat = true }
    }
    stream_options = { theirs = { kms_key_arn = "arn:aws:kms:eu-central-1:444455556666:key/theirs" } }
  }

  assert {
    condition     = local.heartbeat_streams == { pumps = "pumps", theirs = "arn:aws:kinesis:eu-central-1:444455556666:stream/orders" }
    error_message = "a name is a stream of this account: ${jsonencode(local.heartbeat_streams)}"
  }

  assert {
    condition     = contains(module.observability[0].alarm_names, "weir-stream-pumps-behind") && !contains(module.observability[0].alarm_names, "weir-stream-theirs-behind")
    error_message = "the metrics of a stream are in its own account: an alarm here would be well for ever"
  }

  assert {
    condition     = !output.streams["theirs"].watched && output.streams["pumps"].watched
    error_message = "that nobody watches it is said"
  }

  assert {
    condition = [
      for s in jsondecode(module.heartbeat.policy_json).Statement : s.Action if contains(s.Resource, "arn:aws:kms:eu-central-1:444455556666:key/theirs")
    ] == [["kms:GenerateDataKey"]]
    error_message = "to put needs a data key, and to read nothing"
  }

  assert {
    condition     = contains(module.observability[0].alarm_names, "weir-heartbeat-streams")
    error_message = "a stream that takes no heartbeats is told"
  }
}
