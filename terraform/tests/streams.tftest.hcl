mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  streams = {
    events = { name = "weir-events" }
  }
}

run "defaults" {
  module { source = "./modules/streams" }

  assert {
    condition     = aws_kinesis_stream.this["events"].encryption_type == "KMS" && aws_kinesis_stream.this["events"].kms_key_id == "alias/aws/kinesis"
    error_message = "streams are encrypted without being asked"
  }

  assert {
    condition     = aws_kinesis_stream.this["events"].shard_count == 1 && aws_kinesis_stream.this["events"].retention_period == 24
    error_message = "the default is the cheapest stream"
  }
}

run "protection_is_of_each_stream" {
  module { source = "./modules/streams" }

  variables {
    deletion_protection = true
    streams             = { events = { name = "weir-events" }, orders = { name = "weir-orders" } }
  }

  assert {
    condition     = { for key, guard in terraform_data.deletion_protection : key => guard.output } == { events = { name = "weir-events", protected = true }, orders = { name = "weir-orders", protected = true } }
    error_message = "what goes before each stream knows whether it may"
  }
}

# What was protected is torn down after a run; it must not be protected then.
run "protection_ends_before_streams_do" {
  module { source = "./modules/streams" }

  variables {
    streams = { events = { name = "weir-events" }, orders = { name = "weir-orders" } }
  }

  assert {
    condition     = alltrue([for guard in terraform_data.deletion_protection : !guard.output.protected])
    error_message = "protection that is taken back is taken back in place"
  }
}

run "own_key" {
  module { source = "./modules/streams" }

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/k"
  }

  assert {
    condition     = aws_kinesis_stream.this["events"].kms_key_id == "arn:aws:kms:eu-central-1:111122223333:key/k"
    error_message = "the key of the caller is used"
  }
}

run "on_demand_has_no_shard_count" {
  command = plan
  module { source = "./modules/streams" }

  variables {
    mode = "ON_DEMAND"
  }

  assert {
    condition     = aws_kinesis_stream.this["events"].stream_mode_details[0].stream_mode == "ON_DEMAND"
    error_message = "the mode is handed on"
  }
}

run "unknown_mode" {
  command = plan
  module { source = "./modules/streams" }

  variables {
    mode = "AUTO"
  }

  expect_failures = [var.mode]
}

run "no_shard" {
  command = plan
  module { source = "./modules/streams" }

  variables {
    streams = { events = { name = "weir-events", shard_count = 0 } }
  }

  expect_failures = [var.streams]
}

run "retention_of_a_minute" {
  command = plan
  module { source = "./modules/streams" }

  variables {
    streams = { events = { name = "weir-events", retention_hours = 1 } }
  }

  expect_failures = [var.streams]
}
