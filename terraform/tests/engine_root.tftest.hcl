# The root module with `engine = "embedded"`: one variable goes from one engine to the other, and nothing of Arroyo's is left.

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
  target = module.engine[0].data.aws_caller_identity.current
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

variables {
  alerter_zip        = "terraform/tests/packages/arm64.zip"
  availability_zones = ["a", "b"]
  engine             = "embedded"
  engine_image       = "ghcr.io/acme/weir:0.1.0"
  heartbeat_zip      = "terraform/tests/packages/arm64.zip"
  region             = "eu-central-1"
}

run "the_default_is_arroyo_and_makes_no_other_engine" {
  command = plan

  variables {
    engine = "arroyo"
  }

  assert {
    condition     = length(module.engine) == 0 && output.engine_bucket == null && local.embedded_pipeline == null
    error_message = "a stack that was there before keeps what it has"
  }
}

run "one_variable_goes_from_arroyo_to_the_embedded_engine" {
  command = plan

  variables {
    # As dev.tfvars has it.
    arroyo_enabled = true
    network_egress = "nat"
  }

  assert {
    condition     = length(module.arroyo) == 0 && length(module.network) == 0 && length(module.arroyo_secrets) == 0
    error_message = "no cluster, database, NAT gateway or key of an API is left"
  }

  assert {
    condition = alltrue([
      output.engine_bucket == "weir-engine-111122223333-eu-central-1",
      output.engine_service_name == "weir-engine",
      output.arroyo_cluster_name == null && output.arroyo_api_key_secret == null,
      jsondecode(output.engine_container_definitions)[0].image == "ghcr.io/acme/weir:0.1.0",
    ])
    error_message = "the engine's service is there instead"
  }

  assert {
    condition     = contains(module.observability[0].alarm_names, "weir-engine-stopped") && contains(module.observability[0].alarm_names, "weir-rule-errors") && !contains(module.observability[0].alarm_names, "weir-pipeline-not-running")
    error_message = "what runs is watched"
  }
}

run "streams_that_come_and_go_need_no_gate" {
  command = plan

  variables {
    arroyo_enabled = true
    streams = {
      flows  = { arn = "arn:aws:kinesis:us-east-1:444455556666:stream/flow-logs", gate = { declaration = "x" } }
      orders = { create = true }
    }
    stream_options = { orders = { on_demand = true }, flows = { kms_key_arn = "arn:aws:kms:us-east-1:444455556666:key/theirs" } }
  }

  assert {
    condition     = length(module.gate) == 0 && join(",", local.declared_keys) == "arn:aws:kms:us-east-1:444455556666:key/theirs"
    error_message = "the embedded engine reads each stream itself, with its key"
  }
}

run "an_engine_that_is_none" {
  command = plan

  variables {
    engine = "flink"
  }

  expect_failures = [var.engine]
}

run "the_embedded_engine_needs_an_image" {
  command = plan

  variables {
    engine_image = null
  }

  expect_failures = [var.engine_image]
}
