mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  anomalies_stream_arn         = "arn:aws:kinesis:eu-central-1:111122223333:stream/weir-anomalies"
  api_key_secret_arn           = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:key"
  database_password            = "not-a-secret"
  database_password_secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:password"
  egress_cidrs                 = ["10.80.0.0/16"]
  egress_prefix_lists          = { s3 = "pl-1" }
  events_stream_arn            = "arn:aws:kinesis:eu-central-1:111122223333:stream/weir-events"
  name_prefix                  = "weir"
  region                       = "eu-central-1"
  subnet_ids                   = ["subnet-a", "subnet-b"]
  vpc_id                       = "vpc-1"
}

run "service_linked_roles_are_the_accounts_unless_asked_for" {
  module { source = "./modules/arroyo" }

  assert {
    condition     = length(aws_iam_service_linked_role.this) == 0
    error_message = "a stack that makes a role of the account would end it with itself"
  }
}

run "service_linked_roles_of_what_is_used" {
  module { source = "./modules/arroyo" }

  variables {
    load_balancer               = { allowed_cidrs = ["10.0.0.0/8"], certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/c" }
    service_linked_roles_create = true
  }

  assert {
    condition     = toset(keys(aws_iam_service_linked_role.this)) == toset(["ecs.amazonaws.com", "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com"])
    error_message = "each service whose first call would fail has its role before"
  }
}

run "further_streams_are_read_with_their_keys" {
  module { source = "./modules/arroyo" }

  variables {
    read_key_arns    = ["arn:aws:kms:eu-central-1:111122223333:key/theirs"]
    read_stream_arns = ["arn:aws:kinesis:eu-central-1:111122223333:stream/iot-climate"]
  }

  assert {
    condition = alltrue([
      for s in jsondecode(aws_iam_role_policy.task.policy).Statement :
      s.Action == ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"] if contains(s.Resource, "arn:aws:kinesis:eu-central-1:111122223333:stream/iot-climate")
    ])
    error_message = "a stream of somebody else is read and nothing else"
  }

  assert {
    condition = [
      for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Action if contains(s.Resource, "arn:aws:kms:eu-central-1:111122223333:key/theirs")
    ] == [["kms:Decrypt"]]
    error_message = "its key reads, and encrypts nothing"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Resource if contains(s.Action, "kinesis:PutRecords")
    ])) == toset(["arn:aws:kinesis:eu-central-1:111122223333:stream/weir-anomalies"])
    error_message = "the engine writes anomalies and nothing else"
  }
}

run "one_control_task_and_no_nodes" {
  module { source = "./modules/arroyo" }

  assert {
    condition = alltrue([
      aws_ecs_service.control.desired_count == 1,
      aws_ecs_service.control.deployment_maximum_percent == 100,
      aws_ecs_service.control.deployment_minimum_healthy_percent == 0,
    ])
    error_message = "never two control tasks: stop, then start"
  }

  assert {
    condition     = length(aws_ecs_service.node) == 0 && length(aws_vpc_security_group_ingress_rule.nodes) == 0
    error_message = "without nodes there are no node tasks and no open ports among tasks"
  }

  assert {
    condition     = [for c in jsondecode(output.control_container_definitions) : "${c.name} ${join(" ", c.command)}"] == ["control cluster", "migrate migrate --wait 150"]
    error_message = "the control task migrates its catalogue and runs the cluster"
  }

  assert {
    condition     = jsondecode(output.control_container_definitions)[0].dependsOn == [{ containerName = "migrate", condition = "SUCCESS" }]
    error_message = "no cluster before its catalogue is migrated"
  }

  assert {
    condition = {
      for e in jsondecode(output.control_container_definitions)[0].environment : e.name => e.value
      } == {
      ARROYO__API__AUTH_MODE__TYPE                 = "static-api-key"
      ARROYO__CHECKPOINT_URL                       = "s3://weir-arroyo-111122223333-eu-central-1/checkpoints"
      ARROYO__COMPILER__ARTIFACT_URL               = "s3://weir-arroyo-111122223333-eu-central-1/artifacts"
      ARROYO__COMPILER__INSTALL_CLANG              = "false"
      ARROYO__COMPILER__INSTALL_RUSTC              = "false"
      ARROYO__CONTROLLER__SCHEDULER                = "process"
      ARROYO__DATABASE__POSTGRES__DATABASE_NAME    = "arroyo"
      ARROYO__DATABASE__POSTGRES__HOST             = "db.example.internal"
      ARROYO__DATABASE__POSTGRES__PORT             = "5432"
      ARROYO__DATABASE__POSTGRES__USER             = "arroyo"
      ARROYO__DATABASE__TYPE                       = "postgres"
      ARROYO__DEFAULT_CHECKPOINT_INTERVAL          = "10s"
      ARROYO__DISABLE_TELEMETRY                    = "true"
      ARROYO__LOGGING__FORMAT                      = "json"
      ARROYO__PIPELINE__ALLOWED_RESTARTS           = "20"
      ARROYO__PROCESS_SCHEDULER__SLOTS_PER_PROCESS = "16"
      AWS_DEFAULT_REGION                           = "eu-central-1"
      AWS_REGION                                   = "eu-central-1"
      WEIR_SECRETS_VERSION                         = "1"
    }
    error_message = "the environment is the one that was run against Arroyo 0.15"
  }

  assert {
    condition     = toset([for s in jsondecode(output.control_container_definitions)[0].secrets : s.name]) == toset(["ARROYO__API__AUTH_MODE__API_KEY", "ARROYO__DATABASE__POSTGRES__PASSWORD"])
    error_message = "secrets come from Secrets Manager, not from the environment"
  }

  assert {
    condition     = strcontains(jsondecode(output.control_container_definitions)[0].healthCheck.command[1], "localhost:5114/status")
    error_message = "the health check asks the admin port, which needs no key"
  }
}

run "nothing_is_public" {
  module { source = "./modules/arroyo" }

  assert {
    condition     = !aws_ecs_service.control.network_configuration[0].assign_public_ip && !aws_db_instance.this[0].publicly_accessible
    error_message = "tasks and database have no public address"
  }

  assert {
    condition = alltrue(concat(
      [aws_vpc_security_group_ingress_rule.client.cidr_ipv4 == null, aws_vpc_security_group_ingress_rule.database.cidr_ipv4 == null],
      [length(aws_lb.api) == 0],
    ))
    error_message = "only security groups are let in"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.state.block_public_acls,
      aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls,
      aws_s3_bucket_public_access_block.state.restrict_public_buckets,
    ])
    error_message = "the bucket cannot be made public"
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_egress_rule.https)) == toset(["client-10.80.0.0/16", "client-s3", "cluster-10.80.0.0/16", "cluster-s3"])
    error_message = "tasks reach what the network says, and nothing else"
  }
}

run "encrypted_with_own_key" {
  module { source = "./modules/arroyo" }

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/k"
  }

  assert {
    condition = alltrue(concat(
      [
        aws_db_instance.this[0].storage_encrypted,
        aws_db_instance.this[0].kms_key_id == var.kms_key_arn,
        one(one(aws_s3_bucket_server_side_encryption_configuration.state.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn,
      ],
      [for group in aws_cloudwatch_log_group.this : group.kms_key_id == var.kms_key_arn],
    ))
    error_message = "database, bucket and logs use the caller's key"
  }
}

run "encrypted_without_own_key" {
  module { source = "./modules/arroyo" }

  assert {
    condition     = aws_db_instance.this[0].storage_encrypted && one(one(aws_s3_bucket_server_side_encryption_configuration.state.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "database and bucket are encrypted without being asked"
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.state[0].policy).Statement[0].Sid == "DenyWithoutTls"
    error_message = "the bucket keeps versions and refuses calls without TLS"
  }

  assert {
    condition     = [for p in aws_db_parameter_group.this[0].parameter : p.value if p.name == "rds.force_ssl"] == ["0"]
    error_message = "Arroyo 0.15 cannot speak TLS to PostgreSQL"
  }
}

run "catalogue_can_be_upgraded_and_leaves_a_snapshot" {
  module { source = "./modules/arroyo" }

  variables {
    database            = { final_snapshot = true, maintenance_window = "sun:03:00-sun:03:30", version = "18" }
    deletion_protection = false
  }

  assert {
    condition     = aws_db_instance.this[0].allow_major_version_upgrade && aws_db_parameter_group.this[0].name_prefix == "weir-arroyo-" && aws_db_parameter_group.this[0].family == "postgres18"
    error_message = "a new major version needs leave, and a parameter group beside the old one"
  }

  assert {
    condition     = !aws_db_instance.this[0].skip_final_snapshot && startswith(aws_db_instance.this[0].final_snapshot_identifier, "weir-arroyo-final-2")
    error_message = "the snapshot is taken when the stack ends, which is when protection is off"
  }

  assert {
    condition     = aws_db_instance.this[0].apply_immediately && aws_db_instance.this[0].maintenance_window == "sun:03:00-sun:03:30"
    error_message = "what is applied is applied now; what AWS does by itself waits for its window"
  }

  assert {
    condition     = aws_cloudwatch_log_group.database.name == "/aws/rds/instance/weir-arroyo/postgresql" && aws_cloudwatch_log_group.database.retention_in_days == 30
    error_message = "the log that RDS writes is kept as long as the others"
  }
}

run "windows_that_are_none" {
  command = plan
  module { source = "./modules/arroyo" }

  variables {
    database = { backup_window = "at night", maintenance_window = "sunday" }
  }

  expect_failures = [var.database]
}

run "the_control_task_is_found_again_soon_after_a_restart" {
  module { source = "./modules/arroyo" }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.namespace.template_body).Resources.Namespace.Properties.Properties.DnsProperties.SOA.TTL == 5
    error_message = "a resolver must not remember for minutes that the one control task was away"
  }

  assert {
    condition     = startswith(output.api_url, "http://control.${jsondecode(aws_cloudformation_stack.namespace.template_body).Resources.Namespace.Properties.Name}:")
    error_message = "what is asked for is what is registered"
  }
}

run "roles_of_a_locked_down_account" {
  module { source = "./modules/arroyo" }

  variables {
    roles = { path = "/weir/", permissions_boundary = "arn:aws:iam::111122223333:policy/bounds" }
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.execution, aws_iam_role.task] :
      role.path == "/weir/" && role.permissions_boundary == "arn:aws:iam::111122223333:policy/bounds"
    ])
    error_message = "every role has the path and the boundary"
  }
}

run "longest_bucket_name" {
  module { source = "./modules/arroyo" }

  variables {
    name_prefix = "weir-0123456789012345678"
    region      = "ap-southeast-1"
  }

  assert {
    condition     = length(aws_s3_bucket.state.bucket) <= 63
    error_message = "bucket names are at most 63 characters"
  }
}

run "checkpoints_of_deleted_pipelines_go_after_a_while" {
  module { source = "./modules/arroyo" }

  variables {
    checkpoint_expiration_days = 45
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.state.rule : one(rule.expiration).days if rule.id == "orphaned-checkpoints" && rule.status == "Enabled"] == [45]
    error_message = "only age tells a deleted pipeline's checkpoints apart"
  }
}

run "permissions" {
  module { source = "./modules/arroyo" }

  variables {
    image = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/arroyo:0.15.0"
  }

  assert {
    condition = alltrue(flatten([
      for policy in [aws_iam_role_policy.task.policy, aws_iam_role_policy.execution.policy] :
      [for s in jsondecode(policy).Statement : [for a in s.Action : !strcontains(a, "*")]]
    ]))
    error_message = "no statement has a wildcard action"
  }

  assert {
    condition = toset(flatten([
      for policy in [aws_iam_role_policy.task.policy, aws_iam_role_policy.execution.policy] :
      [for s in jsondecode(policy).Statement : s.Sid if contains(s.Resource, "*")]
    ])) == toset(["FindTunnelLog", "LogInToRegistry", "OpenTunnel"])
    error_message = "every resource is named, but where AWS knows none"
  }

  assert {
    condition = {
      for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Sid => s.Action if contains(["ReadEvents", "WriteAnomalies"], s.Sid)
      } == {
      ReadEvents     = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
      WriteAnomalies = ["kinesis:PutRecords"]
    }
    error_message = "pipelines read events and write anomalies, and not the other way round"
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.execution.policy).Statement : s.Resource if s.Sid == "PullImage"] == [["arn:aws:ecr:eu-central-1:111122223333:repository/arroyo"]]
    error_message = "one repository can be pulled from"
  }
}

run "nodes" {
  module { source = "./modules/arroyo" }

  variables {
    worker_count = 3
  }

  assert {
    condition     = aws_ecs_service.node[0].desired_count == 3
    error_message = "as many nodes as asked for"
  }

  assert {
    condition = {
      for e in jsondecode(output.control_container_definitions)[0].environment : e.name => e.value if contains(["ARROYO__CONTROLLER__SCHEDULER", "ARROYO__CONTROLLER_ENDPOINT"], e.name)
      } == {
      ARROYO__CONTROLLER__SCHEDULER = "node"
      ARROYO__CONTROLLER_ENDPOINT   = "http://control.weir-arroyo.internal:5116"
    }
    error_message = "the controller schedules on nodes"
  }

  assert {
    condition     = alltrue([for want in ["exec /app/arroyo node", "ARROYO__HOSTNAME=", "/usr/local/bin/kill"] : strcontains(jsondecode(output.node_container_definitions)[0].command[0], want)])
    error_message = "a node advertises the task's address and can stop its workers"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.nodes[0].referenced_security_group_id == aws_security_group.cluster.id
    error_message = "tasks reach each other's ports, and nobody else does"
  }

  assert {
    condition     = !contains([for e in jsondecode(output.node_container_definitions)[0].environment : e.name], "ARROYO__DATABASE__POSTGRES__HOST")
    error_message = "nodes do not know the catalogue"
  }
}

run "aurora" {
  module { source = "./modules/arroyo" }

  variables {
    database = { engine = "aurora-postgresql", multi_az = true }
  }

  assert {
    condition     = length(aws_db_instance.this) == 0 && length(aws_rds_cluster_instance.this) == 2 && aws_rds_cluster.this[0].storage_encrypted
    error_message = "two encrypted Aurora instances in place of RDS"
  }

  assert {
    condition     = [for e in jsondecode(output.control_container_definitions)[0].environment : e.value if e.name == "ARROYO__DATABASE__POSTGRES__HOST"] == ["cluster.example.internal"]
    error_message = "Arroyo finds the cluster"
  }
}

run "load_balancer" {
  module { source = "./modules/arroyo" }

  variables {
    load_balancer = {
      allowed_cidrs   = ["10.0.0.0/8"]
      certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/c"
    }
  }

  assert {
    condition     = aws_lb.api[0].internal && aws_lb_listener.api[0].protocol == "HTTPS" && length(aws_ecs_service.control.load_balancer) == 1
    error_message = "internal, and TLS only"
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.load_balancer : rule.cidr_ipv4] == ["10.0.0.0/8"]
    error_message = "only named ranges are let in"
  }
}

run "digest" {
  module { source = "./modules/arroyo" }

  variables {
    image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = jsondecode(output.control_container_definitions)[0].image == "ghcr.io/arroyosystems/arroyo:0.15.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    error_message = "the digest pins the image"
  }
}

run "load_balancer_for_everyone" {
  command = plan
  module { source = "./modules/arroyo" }

  variables {
    load_balancer = {
      allowed_cidrs   = ["0.0.0.0/0"]
      certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/c"
    }
  }

  expect_failures = [var.load_balancer]
}

run "moving_image" {
  command = plan
  module { source = "./modules/arroyo" }

  variables {
    image = "ghcr.io/arroyosystems/arroyo:tip"
  }

  expect_failures = [var.image]
}

run "image_that_cannot_be_reached" {
  command = plan
  module { source = "./modules/arroyo" }

  variables {
    image_from_internet = false
  }

  expect_failures = [var.image]
}

run "sizes_that_fargate_refuses" {
  command = plan
  module { source = "./modules/arroyo" }

  variables {
    control_cpu       = 1024
    control_memory_mb = 16384
    worker_cpu        = 8192
    worker_memory_mb  = 17408
  }

  expect_failures = [var.control_memory_mb, var.worker_memory_mb]
}

run "limits" {
  command = plan
  module { source = "./modules/arroyo" }

  variables {
    allowed_restarts            = 0
    checkpoint_expiration_days  = 7
    checkpoint_interval_seconds = 0
    cpu_architecture            = "arm64"
    database                    = { engine = "mysql" }
    ephemeral_storage_gib       = 19
    image_digest                = "sha256:1234"
    source_batches              = "fast"
    subnet_ids                  = ["subnet-a"]
    task_slots                  = 0
    worker_count                = -1
  }

  expect_failures = [
    var.allowed_restarts, var.checkpoint_expiration_days, var.checkpoint_interval_seconds, var.cpu_architecture,
    var.database, var.ephemeral_storage_gib, var.image_digest, var.source_batches, var.subnet_ids, var.task_slots,
    var.worker_count,
  ]
}

run "throughput_batches_the_source_by_size" {
  command = plan
  module { source = "./modules/arroyo" }

  variables {
    source_batches = "throughput"
  }

  assert {
    condition = length([
      for entry in jsondecode(aws_ecs_task_definition.control.container_definitions)[0].environment : entry
      if entry == { name = "ARROYO__PIPELINE__SOURCE_BATCH_LINGER", value = "87600h" } || entry == { name = "ARROYO__PIPELINE__SOURCE_BATCH_SIZE", value = "32" }
    ]) == 2
    error_message = "Arroyo's source is to flush by size and at checkpoints."
  }
}

run "latency_leaves_the_source_as_it_is" {
  command = plan
  module { source = "./modules/arroyo" }

  assert {
    condition     = !strcontains(aws_ecs_task_definition.control.container_definitions, "SOURCE_BATCH")
    error_message = "latency is Arroyo's default and sets nothing."
  }
}
