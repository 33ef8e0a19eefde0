# The module of the embedded engine's service: one task, nothing that lets anybody in, and no more rights than it needs.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  anomalies_stream_arn = "arn:aws:kinesis:eu-central-1:111122223333:stream/weir-anomalies"
  events_stream_arn    = "arn:aws:kinesis:eu-central-1:111122223333:stream/weir-events"
  image                = "ghcr.io/acme/weir:0.1.0"
  name_prefix          = "weir"
  pipeline             = "weir"
  region               = "eu-central-1"
}

run "one_task" {
  module { source = "./modules/engine" }

  assert {
    condition = alltrue([
      aws_ecs_service.this.desired_count == 1,
      aws_ecs_service.this.deployment_maximum_percent == 100,
      aws_ecs_service.this.deployment_minimum_healthy_percent == 0,
      aws_ecs_service.this.availability_zone_rebalancing == "DISABLED",
      aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback,
    ])
    error_message = "never two tasks on purpose: stop, then start, and back when the new one does not come up"
  }

  assert {
    condition = {
      entry  = jsondecode(output.container_definitions)[0].entryPoint
      run    = jsondecode(output.container_definitions)[0].command
      health = jsondecode(output.container_definitions)[0].healthCheck.command
      } == {
      entry  = ["/usr/local/bin/weir"]
      run    = ["serve", "s3://weir-engine-111122223333-eu-central-1", "--checkpoint-interval-millis", "10000", "--emf", "weir", "--log-format", "json", "--metrics-port", "9464", "--state-limit", "192", "--stop-within", "100"]
      health = ["CMD", "/usr/local/bin/weir", "health", "--metrics-port", "9464"]
    }
    error_message = "the command is the one that tests/tests/engine runs"
  }

  assert {
    condition     = { for e in jsondecode(output.container_definitions)[0].environment : e.name => e.value } == { AWS_REGION = "eu-central-1", WEIR_LOG = "warn" }
    error_message = "the environment has a region, and no secret"
  }

  assert {
    condition = alltrue([
      jsondecode(output.container_definitions)[0].readonlyRootFilesystem,
      jsondecode(output.container_definitions)[0].user == "65532:65532",
      jsondecode(output.container_definitions)[0].portMappings == [],
      tonumber(jsondecode(output.container_definitions)[0].command[13]) < jsondecode(output.container_definitions)[0].stopTimeout,
    ])
    error_message = "a process of no rights that listens to nobody, and has the time for its last checkpoint"
  }
}

run "nothing_comes_in" {
  module { source = "./modules/engine" }

  assert {
    condition = alltrue([
      aws_vpc_security_group_egress_rule.https.from_port == 443 && aws_vpc_security_group_egress_rule.https.to_port == 443,
      aws_security_group.this.ingress == null || length(aws_security_group.this.ingress) == 0,
      aws_ecs_service.this.network_configuration[0].assign_public_ip,
      length(aws_subnet.public) == 2,
    ])
    error_message = "a public address is the way out, and nothing may come in"
  }
}

run "in_a_vpc_that_exists" {
  module { source = "./modules/engine" }

  variables {
    existing_network = { private_subnet_ids = ["subnet-a"], vpc_id = "vpc-theirs" }
  }

  assert {
    condition = alltrue([
      length(aws_vpc.this) == 0 && length(aws_subnet.public) == 0 && length(aws_internet_gateway.this) == 0,
      !aws_ecs_service.this.network_configuration[0].assign_public_ip,
      aws_ecs_service.this.network_configuration[0].subnets == toset(["subnet-a"]),
      aws_security_group.this.vpc_id == "vpc-theirs",
    ])
    error_message = "no network is made beside it, and the task has no public address"
  }
}

run "its_rights" {
  module { source = "./modules/engine" }

  variables {
    kms_key_arn      = "arn:aws:kms:eu-central-1:111122223333:key/ours"
    read_key_arns    = ["arn:aws:kms:eu-central-1:444455556666:key/theirs"]
    read_stream_arns = ["arn:aws:kinesis:eu-central-1:444455556666:stream/iot-climate"]
  }

  assert {
    condition = { for s in jsondecode(output.task_policy_json).Statement : s.Sid => { may = s.Action, on = s.Resource } } == {
      FindState        = { may = ["s3:ListBucket"], on = [aws_s3_bucket.state.arn] }
      KeepState        = { may = ["s3:GetObject", "s3:PutObject"], on = ["${aws_s3_bucket.state.arn}/observed.json", "${aws_s3_bucket.state.arn}/state/*"] }
      ReadEvents       = { may = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"], on = ["arn:aws:kinesis:eu-central-1:111122223333:stream/weir-events", "arn:aws:kinesis:eu-central-1:444455556666:stream/iot-climate"] }
      ReadStreamKeys   = { may = ["kms:Decrypt"], on = ["arn:aws:kms:eu-central-1:444455556666:key/theirs"] }
      ReadWhatIsWanted = { may = ["s3:GetObject"], on = ["${aws_s3_bucket.state.arn}/packs/*", "${aws_s3_bucket.state.arn}/wanted.json"] }
      UseKey           = { may = ["kms:Decrypt", "kms:GenerateDataKey"], on = ["arn:aws:kms:eu-central-1:111122223333:key/ours"] }
      WriteAnomalies   = { may = ["kinesis:PutRecords"], on = ["arn:aws:kinesis:eu-central-1:111122223333:stream/weir-anomalies"] }
    }
    error_message = "it reads events and what is wanted, writes anomalies, its state and what it says of itself, and nothing else"
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.execution.policy).Statement : s.Sid] == ["WriteLogs"]
    error_message = "an image from elsewhere needs no right to pull"
  }
}

run "an_image_in_ecr_is_pulled" {
  module { source = "./modules/engine" }

  variables {
    image = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/weir@sha256:0123"
  }

  assert {
    condition = flatten([
      for s in jsondecode(aws_iam_role_policy.execution.policy).Statement : s.Resource if s.Sid == "PullImage"
    ]) == ["arn:aws:ecr:eu-central-1:111122223333:repository/team/weir"]
    error_message = "of this repository alone"
  }
}

run "the_bucket_is_private_and_stays_while_protected" {
  module { source = "./modules/engine" }

  variables {
    deletion_protection = true
  }

  assert {
    condition = alltrue([
      !aws_s3_bucket.state.force_destroy,
      aws_s3_bucket_public_access_block.state.block_public_acls && aws_s3_bucket_public_access_block.state.restrict_public_buckets,
      length(aws_s3_bucket_policy.state) == 1,
      aws_s3_bucket_lifecycle_configuration.state.rule[1].filter[0].prefix == "state/",
    ])
    error_message = "nobody else reads it, and what is in it is not deleted by the way"
  }
}

run "fargate_pairs_them" {
  command = plan

  module { source = "./modules/engine" }

  variables {
    cpu       = 256
    memory_mb = 4096
  }

  expect_failures = [var.memory_mb]
}

run "an_image_has_a_version" {
  command = plan

  module { source = "./modules/engine" }

  variables {
    image = "ghcr.io/acme/weir"
  }

  expect_failures = [var.image]
}
