# The root module as a whole: names, encryption, how the stream is read, what may be done by whom.

# Planned with the real provider, which calls nothing to plan what does not exist yet: Terraform cannot mock ephemeral
# resources, and the root module has them (the secrets of Arroyo).
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
  target = module.heartbeat.data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

override_data {
  target = module.observability[0].data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

variables {
  # Files that stand in for packages.
  alerter_zip   = "terraform/tests/packages/arm64.zip"
  heartbeat_zip = "terraform/tests/packages/arm64.zip"
  region        = "eu-central-1"
}

run "defaults" {
  command = plan

  assert {
    condition = alltrue([
      output.events_stream_name == "weir-events",
      output.anomalies_stream_name == "weir-anomalies",
      output.table_name == "weir-anomalies",
      output.alerter_function_name == "weir-alerter",
      output.heartbeat_function_name == "weir-heartbeat",
    ])
    error_message = "names must be those of docs/contracts.md"
  }

  assert {
    condition     = length(module.heartbeat.checked) == 1
    error_message = "the heartbeat is checked when it is deployed"
  }

  assert {
    condition     = output.inbox_queue_url == null && output.endpoint_url == null
    error_message = "the inbox and the emulator must be asked for"
  }
}

# That a package for another machine is refused: tests/lambda.tftest.hcl. Here, that the root module hands on what it names.
run "packages_for_the_machine_that_is_named" {
  command = plan

  variables {
    alerter_zip         = "terraform/tests/packages/x86_64.zip"
    heartbeat_zip       = "terraform/tests/packages/x86_64.zip"
    lambda_architecture = "x86_64"
  }

  assert {
    condition     = module.alerts.alerter_architecture == "x86_64"
    error_message = "the function runs on the architecture that is named"
  }
}

# The emulator runs them as processes of this machine, whichever it is.
run "the_local_stack_takes_what_this_machine_runs" {
  command = plan

  variables {
    alerter_zip   = "terraform/tests/packages/unchecked.zip"
    endpoint_url  = "http://127.0.0.1:4566"
    heartbeat_zip = "terraform/tests/packages/unchecked.zip"
  }

  assert {
    condition     = output.alerter_function_name == "weir-alerter"
    error_message = "no limit of AWS stops the local stack"
  }
}

run "prefix_renames_everything" {
  command = plan

  variables {
    inbox       = true
    name_prefix = "acme-test"
  }

  assert {
    condition = alltrue([
      output.events_stream_name == "acme-test-events",
      output.table_name == "acme-test-anomalies",
      output.alerter_function_name == "acme-test-alerter",
    ])
    error_message = "every name must start with the prefix"
  }
}

# S3 wants 3 to 63 characters: the longest prefix, in the regions with the longest names.
run "longest_names" {
  command = plan

  variables {
    keep_failed_records = true
    name_prefix         = "weir-0123456789012345678"
    region              = "ap-southeast-1"
  }

  assert {
    condition     = length(output.failures_bucket) <= 63
    error_message = "bucket names are at most 63 characters: ${output.failures_bucket}"
  }
}

run "regions_of_other_partitions" {
  command = plan

  variables {
    region = "cn-north-1"
  }

  expect_failures = [var.region]
}

run "european_sovereign_cloud" {
  command = plan

  variables {
    region = "eusc-de-east-1"
  }

  expect_failures = [var.region]
}

run "unknown_region_name" {
  command = plan

  variables {
    region = "frankfurt"
  }

  expect_failures = [var.region]
}

run "remote_endpoint" {
  command = plan

  variables {
    endpoint_url = "http://example.com:4566"
  }

  expect_failures = [var.endpoint_url]
}

run "record_age_beyond_retention" {
  command = plan

  variables {
    alerter_maximum_record_age_seconds = 86400
    anomalies_retention_hours          = 24
  }

  expect_failures = [var.alerter_maximum_record_age_seconds]
}

run "concurrency_below_shards" {
  command = plan

  variables {
    alerter_parallelization_factor = 2
    alerter_reserved_concurrency   = 8
    anomalies_shard_count          = 4
  }

  expect_failures = [var.alerter_reserved_concurrency]
}

run "a_new_account_can_reserve_no_concurrency" {
  command = plan

  override_data {
    target = data.aws_servicequotas_service_quota.lambda_concurrency[0]
    values = { value = 10 }
  }

  variables {
    alerter_reserved_concurrency = 10
  }

  expect_failures = [data.aws_servicequotas_service_quota.lambda_concurrency]
}

run "an_account_whose_quota_was_raised_can" {
  command = plan

  override_data {
    target = data.aws_servicequotas_service_quota.lambda_concurrency[0]
    values = { value = 1000 }
  }

  variables {
    alerter_reserved_concurrency = 10
  }

  assert {
    condition     = length(data.aws_servicequotas_service_quota.lambda_concurrency) == 1
    error_message = "the plan looks at the quota before anything is reserved"
  }
}

run "no_size_reserves_concurrency" {
  command = plan

  # With the defaults nothing is reserved, and no right to read quotas is needed.
  assert {
    condition = length(data.aws_servicequotas_service_quota.lambda_concurrency) == 0 && alltrue([
      for file in fileset(".", "*.tfvars") : !can(regex("_reserved_concurrency[ ]*=[ ]*[0-9]", file(file)))
    ])
    error_message = "every size in this folder must be possible in a new account, which can reserve nothing"
  }
}

run "roles_everywhere" {
  command = plan

  variables {
    role_path                 = "/weir/"
    role_permissions_boundary = "arn:aws:iam::111122223333:policy/bounds"
  }

  assert {
    condition     = module.heartbeat.role == local.roles && module.alerts.alerter_role == local.roles
    error_message = "every module makes its roles with the path and the boundary"
  }
}

run "role_path_without_slashes" {
  command = plan

  variables {
    role_path                 = "weir"
    role_permissions_boundary = "bounds"
  }

  expect_failures = [var.role_path, var.role_permissions_boundary]
}

run "unknown_severity" {
  command = plan

  variables {
    severity_floor = "fatal"
  }

  expect_failures = [var.severity_floor]
}

run "bad_prefix" {
  command = plan

  variables {
    name_prefix = "Weir_1"
  }

  expect_failures = [var.name_prefix]
}

run "alias_in_place_of_key" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:alias/weir"
  }

  expect_failures = [var.kms_key_arn]
}

run "overlapping_heartbeats" {
  command = plan

  variables {
    heartbeat_timeout_seconds = 60
  }

  expect_failures = [var.heartbeat_timeout_seconds]
}

run "bad_replay_time" {
  command = plan

  variables {
    heartbeat_time = "event"
  }

  expect_failures = [var.heartbeat_time]
}

run "values_below_their_limits" {
  command = plan

  variables {
    dedup_default_seconds = 0
    log_level             = "trace"
    page_url              = "weir studio"
    retention_days        = 0
    storm_cap             = 0
  }

  expect_failures = [var.dedup_default_seconds, var.log_level, var.page_url, var.retention_days, var.storm_cap]
}

run "own_key" {
  command = plan

  variables {
    kms_key_create = true
  }

  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation
    error_message = "the key rotates"
  }

  assert {
    condition = toset([
      for s in jsondecode(aws_kms_key.this[0].policy).Statement : s.Sid if try(s.Principal.AWS, "") != ""
    ]) == toset(["AllowIamPolicies"])
    error_message = "the key belongs to this account; services come with a condition"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this[0].policy).Statement : can(s.Condition) if s.Sid != "AllowIamPolicies"])
    error_message = "no service may use the key for somebody else"
  }
}

run "two_keys" {
  command = plan

  variables {
    kms_key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/k"
    kms_key_create = true
  }

  expect_failures = [var.kms_key_create]
}

run "checkpoint_alarm_below_its_interval" {
  command = plan

  variables {
    alarm_checkpoint_age_seconds       = 60
    arroyo_checkpoint_interval_seconds = 60
  }

  expect_failures = [var.alarm_checkpoint_age_seconds]
}

run "image_without_a_compiler_unless_asked_for" {
  command = plan

  assert {
    condition     = local.arroyo_image == "ghcr.io/arroyosystems/arroyo:0.15.0"
    error_message = "by default the cluster compiles nothing"
  }
}

run "image_with_a_compiler" {
  command = plan

  variables {
    arroyo_udfs_enabled = true
  }

  assert {
    condition     = local.arroyo_image == "ghcr.io/arroyosystems/arroyo-full:0.15.0"
    error_message = "functions in Rust need the full image"
  }
}

run "own_image" {
  command = plan

  variables {
    arroyo_image        = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/arroyo-full:0.15.0"
    arroyo_udfs_enabled = true
  }

  assert {
    condition     = local.arroyo_image == var.arroyo_image
    error_message = "an image of one's own is taken as it is"
  }
}

run "compiler_without_a_way_out" {
  command = plan

  variables {
    arroyo_udfs_enabled = true
    network_egress      = "endpoints"
  }

  expect_failures = [var.arroyo_udfs_enabled]
}
