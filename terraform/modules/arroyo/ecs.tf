resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(local.nodes ? ["control", "exec", "node"] : ["control", "exec"])

  name              = "/weir/${var.name_prefix}/arroyo/${each.key}"
  kms_key_id        = var.kms_key_arn
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_cluster" "this" {
  name = local.name

  configuration {
    execute_command_configuration {
      kms_key_id = var.kms_key_arn
      logging    = "OVERRIDE"

      # Who tunnels or opens a shell leaves a trace.
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
    # Time for a last checkpoint; two minutes are the most that Fargate gives.
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
    name           = "migrate"
    image          = local.image
    command        = ["migrate", "--wait", "300"]
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

  ephemeral_storage {
    size_in_gib = var.ephemeral_storage_gib
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
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = "${local.name}.internal"
  description = "Where the heartbeat and the nodes find Arroyo."
  vpc         = var.vpc_id
}

resource "aws_service_discovery_service" "control" {
  name         = "control"
  description  = "Arroyo's API and controller."
  namespace_id = aws_service_discovery_private_dns_namespace.this.id

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this.id
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
