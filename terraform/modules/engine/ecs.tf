resource "aws_cloudwatch_log_group" "this" {
  name              = "/weir/${var.name_prefix}/engine"
  kms_key_id        = var.kms_key_arn
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:One task. Its service's own metrics and what it writes itself say what matters; insights would cost as much as it does.
  name = local.name

  setting {
    name  = "containerInsights"
    value = "disabled"
  }

  depends_on = [aws_iam_service_linked_role.ecs]
}

# The role is the account's, as modules/arroyo has it.
resource "aws_iam_service_linked_role" "ecs" {
  count = var.service_linked_roles_create ? 1 : 0

  aws_service_name = "ecs.amazonaws.com"
}

locals {
  environment = merge(
    { AWS_REGION = var.region, WEIR_LOG = var.log_level },
    var.endpoint_url == null ? {} : { AWS_ENDPOINT_URL = var.endpoint_url },
  )

  container = {
    name  = "engine"
    image = var.image
    # `weir serve` runs the program that an object of the bucket names, and goes over to another when `weir apply` names another:
    # this definition knows no rules, and a change of rules is none of the service.
    entryPoint = [local.weir]
    command = [
      "serve", "s3://${aws_s3_bucket.state.bucket}",
      "--checkpoint-interval-millis", tostring(var.checkpoint_interval_seconds * 1000),
      "--emf", var.pipeline,
      "--log-format", "json",
      "--metrics-port", tostring(local.metrics_port),
      "--state-limit", tostring(local.state_limit_mb),
      "--stop-within", tostring(local.stop_within_seconds),
    ]
    environment    = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
    essential      = true
    mountPoints    = []
    portMappings   = []
    stopTimeout    = local.stop_timeout_seconds
    systemControls = []
    volumesFrom    = []

    # It writes to S3 and Kinesis alone.
    readonlyRootFilesystem = true
    user                   = local.user

    # It asks the process itself, and needs no shell, which the image has not. Before the first program it is well, too: it waits.
    healthCheck = {
      command     = ["CMD", local.weir, "health", "--metrics-port", tostring(local.metrics_port)]
      interval    = 15
      retries     = 4
      startPeriod = 60
      timeout     = 5
    }

    linuxParameters = { initProcessEnabled = true }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = var.region
        awslogs-stream-prefix = "engine"
        # A slow log must not stop the rules.
        max-buffer-size = "4m"
        mode            = "non-blocking"
      }
    }
    ulimits = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
  }

  containers_json = jsonencode([local.container])
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.name
  cpu                      = var.cpu
  execution_role_arn       = aws_iam_role.execution.arn
  memory                   = var.memory_mb
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  task_role_arn            = aws_iam_role.task.arn

  container_definitions = local.containers_json

  runtime_platform {
    cpu_architecture        = var.cpu_architecture
    operating_system_family = "LINUX"
  }
}

resource "aws_ecs_service" "this" {
  #checkov:skip=CKV_AWS_333:A public address is the way out without a NAT gateway; the security group lets nothing in.
  name            = local.name
  cluster         = aws_ecs_cluster.this.id
  launch_type     = "FARGATE"
  task_definition = aws_ecs_task_definition.this.arn

  # One task: stop, then start. Should there ever be two, their state's fence ends one of them.
  availability_zone_rebalancing      = "DISABLED"
  deployment_maximum_percent         = 100
  deployment_minimum_healthy_percent = 0
  desired_count                      = 1

  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"
  wait_for_steady_state   = var.wait_for_steady_state

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    assign_public_ip = local.network.public
    security_groups  = [aws_security_group.this.id]
    subnets          = local.network.subnet_ids
  }

  depends_on = [
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task,
    aws_route.internet,
    aws_route_table_association.public,
    aws_vpc_security_group_egress_rule.https,
  ]

  lifecycle {
    # A deployment that ECS rolled back ends as steady as one that succeeded, on the old task definition.
    # https://github.com/hashicorp/terraform-provider-aws/issues/20858
    postcondition {
      condition     = self.task_definition == aws_ecs_task_definition.this.arn
      error_message = "ECS rolled the engine back: it runs ${self.task_definition}, not ${aws_ecs_task_definition.this.arn}. Why the new task stopped: aws ecs describe-services --cluster ${aws_ecs_cluster.this.name} --services ${self.name}, and the log group ${aws_cloudwatch_log_group.this.name}."
    }
  }
}
