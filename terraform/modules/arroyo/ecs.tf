resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(local.nodes ? ["control", "exec", "node"] : ["control", "exec"])

  name              = "/weir/${var.name_prefix}/arroyo/${each.key}"
  kms_key_id        = var.kms_key_arn
  retention_in_days = var.log_retention_days
}

# Container Insights makes this group by itself, in the same way as RDS makes its own.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-reference-performance-logs-ECS.html
resource "aws_cloudwatch_log_group" "insights" {
  count = var.container_insights ? 1 : 0

  name              = "/aws/ecs/containerinsights/${local.name}/performance"
  kms_key_id        = var.kms_key_arn
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_cluster" "this" {
  name = local.name

  configuration {
    execute_command_configuration {
      kms_key_id = var.kms_key_arn
      logging    = "OVERRIDE"

      # A shell's session leaves what was typed. A tunnel leaves only the StartSession in CloudTrail:
      # https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-logging.html
      log_configuration {
        cloud_watch_encryption_enabled = var.kms_key_arn != null
        cloud_watch_log_group_name     = aws_cloudwatch_log_group.this["exec"].name
      }
    }
  }

  setting {
    name  = "containerInsights"
    value = var.container_insights ? "enabled" : "disabled"
  }

  depends_on = [aws_cloudwatch_log_group.insights, aws_iam_service_linked_role.this]
}

locals {
  log_configuration = {
    for key, group in aws_cloudwatch_log_group.this : key => {
      logDriver = "awslogs"
      options = {
        awslogs-group         = group.name
        awslogs-region        = var.region
        awslogs-stream-prefix = "arroyo"
        # A slow log must not stop the pipeline.
        max-buffer-size = "4m"
        mode            = "non-blocking"
      }
    }
  }

  database_secret = { name = "ARROYO__DATABASE__POSTGRES__PASSWORD", valueFrom = var.database_password_secret_arn }

  control_container = {
    name         = "control"
    image        = local.image
    command      = ["cluster"]
    essential    = true
    environment  = [for name in sort(keys(local.control_environment)) : { name = name, value = local.control_environment[name] }]
    mountPoints  = []
    portMappings = [for name in ["admin", "api", "controller"] : { containerPort = local.ports[name], hostPort = local.ports[name], protocol = "tcp" }]
    secrets = [
      { name = "ARROYO__API__AUTH_MODE__API_KEY", valueFrom = var.api_key_secret_arn },
      local.database_secret,
    ]
    # Arroyo 0.15 writes no last checkpoint when it is told to stop: pipelines go on from the last periodic one. What it has
    # in flight gets the two minutes that are the most that Fargate gives.
    stopTimeout    = 120
    systemControls = []
    volumesFrom    = []

    dependsOn        = [{ containerName = "migrate", condition = "SUCCESS" }]
    healthCheck      = local.health_check
    linuxParameters  = { initProcessEnabled = true }
    logConfiguration = local.log_configuration["control"]
    ulimits          = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
  }

  # The catalogue's schema comes before the process that reads it, at each start.
  migrate_container = {
    name  = "migrate"
    image = local.image
    # Fargate gives a container that others wait for three minutes; the database is there before the service.
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html (startTimeout)
    command        = ["migrate", "--wait", "150"]
    essential      = false
    environment    = [for name in sort(keys(local.control_environment)) : { name = name, value = local.control_environment[name] } if startswith(name, "ARROYO__DATABASE__") || startswith(name, "ARROYO__LOGGING__")]
    mountPoints    = []
    portMappings   = []
    secrets        = [local.database_secret]
    systemControls = []
    volumesFrom    = []

    logConfiguration = local.log_configuration["control"]
  }

  control_containers_json = jsonencode([local.control_container, local.migrate_container])

  # The admin port answers without the API key. It says that the process lives; whether pipelines run is the heartbeat's
  # to say.
  health_check = {
    command     = ["CMD-SHELL", "curl -fsS http://localhost:${local.ports.admin}/status || exit 1"]
    interval    = 10
    retries     = 3
    startPeriod = 120
    timeout     = 5
  }
}

resource "aws_ecs_task_definition" "control" {
  family                   = "${local.name}-control"
  cpu                      = var.control_cpu
  execution_role_arn       = aws_iam_role.execution.arn
  memory                   = var.control_memory_mb
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  task_role_arn            = aws_iam_role.task.arn

  container_definitions = local.control_containers_json

  # 20 GiB are free and cannot be asked for.
  dynamic "ephemeral_storage" {
    for_each = var.ephemeral_storage_gib > 20 ? [var.ephemeral_storage_gib] : []

    content {
      size_in_gib = ephemeral_storage.value
    }
  }

  runtime_platform {
    cpu_architecture        = var.cpu_architecture
    operating_system_family = "LINUX"
  }
}

resource "aws_ecs_service" "control" {
  name            = "${local.name}-control"
  cluster         = aws_ecs_cluster.this.id
  launch_type     = "FARGATE"
  task_definition = aws_ecs_task_definition.control.arn

  # Never two: Arroyo has no leader election, and two controllers would run every pipeline twice. Hence also stop, then
  # start.
  availability_zone_rebalancing      = "DISABLED"
  deployment_maximum_percent         = 100
  deployment_minimum_healthy_percent = 0
  desired_count                      = 1

  enable_ecs_managed_tags           = true
  enable_execute_command            = true
  health_check_grace_period_seconds = var.load_balancer == null ? null : 300
  propagate_tags                    = "SERVICE"
  wait_for_steady_state             = var.wait_for_steady_state

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  dynamic "load_balancer" {
    for_each = aws_lb_target_group.api

    content {
      container_name   = "control"
      container_port   = local.ports.api
      target_group_arn = load_balancer.value.arn
    }
  }

  network_configuration {
    assign_public_ip = false
    security_groups  = [aws_security_group.cluster.id]
    subnets          = var.subnet_ids
  }

  service_registries {
    registry_arn = aws_service_discovery_service.control.arn
  }

  depends_on = [
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task,
    aws_lb_listener.api,
    aws_vpc_security_group_egress_rule.database,
    aws_vpc_security_group_egress_rule.https,
    aws_vpc_security_group_ingress_rule.database,
  ]

  lifecycle {
    # A deployment that ECS rolled back ends as steady as one that succeeded, on the old task definition.
    # https://github.com/hashicorp/terraform-provider-aws/issues/20858
    postcondition {
      condition     = self.task_definition == aws_ecs_task_definition.control.arn
      error_message = "ECS rolled the control task back: it runs ${self.task_definition}, not ${aws_ecs_task_definition.control.arn}. Why the new one stopped: aws ecs describe-services --cluster ${aws_ecs_cluster.this.name} --services ${self.name}, and the log group ${aws_cloudwatch_log_group.this["control"].name}."
    }
  }
}

# By CloudFormation, because Terraform's resource has no argument for the SOA record. Its TTL says for how long "no such name" is
# remembered, and the one control task leaves its name without a record for a minute at each restart: by default the VPC's
# resolver then holds on to that for 300 s, https://github.com/aws/aws-app-mesh-roadmap/issues/221.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-servicediscovery-privatednsnamespace-soa.html
resource "aws_cloudformation_stack" "namespace" {
  name = "${local.name}-namespace"

  template_body = jsonencode({
    AWSTemplateFormatVersion = "2010-09-09"
    Description              = "Where the heartbeat and the nodes find Arroyo."
    Resources = {
      Namespace = {
        Type = "AWS::ServiceDiscovery::PrivateDnsNamespace"
        Properties = {
          Description = "Where the heartbeat and the nodes find Arroyo."
          Name        = local.namespace
          Properties  = { DnsProperties = { SOA = { TTL = local.no_such_name_ttl_seconds } } }
          Vpc         = var.vpc_id
        }
      }
    }
    Outputs = { Id = { Value = { Ref = "Namespace" } } }
  })
}

resource "aws_service_discovery_service" "control" {
  name         = "control"
  description  = "Arroyo's API and controller."
  namespace_id = local.namespace_id
  # A task that was stopped by hand may have left itself registered.
  force_destroy = true

  dns_config {
    namespace_id   = local.namespace_id
    routing_policy = "MULTIVALUE"

    dns_records {
      ttl  = 10
      type = "A"
    }
  }

  # ECS says when a task is well; Route 53 could not look into the VPC.
  health_check_custom_config {
    failure_threshold = 1
  }
}
