# worker_count > 0: Arroyo's `node` scheduler. Nodes register with the controller, which starts workers on them; controller,
# nodes and workers dial each other on ports that Arroyo chooses.

locals {
  node_container = {
    name       = "node"
    image      = local.image
    entryPoint = ["/bin/sh", "-c"]
    # - Fargate gives a task two addresses, and Arroyo's own guess may be the link-local one: it must advertise the one
    #   that its host name resolves to.
    # - The node stops its workers with an executable `kill`, which a slim image need not have; the shell's own does it.
    command = [join("\n", [
      "set -eu",
      "ARROYO__HOSTNAME=$(hostname -i | cut -d' ' -f1)",
      "export ARROYO__HOSTNAME",
      "if ! [ -x /bin/kill ] && ! [ -x /usr/bin/kill ]; then",
      "  printf '#!/bin/sh\\nkill \"$@\"\\n' > /usr/local/bin/kill",
      "  chmod 755 /usr/local/bin/kill",
      "fi",
      "exec /app/arroyo node",
    ])]
    essential      = true
    environment    = [for name in sort(keys(local.node_environment)) : { name = name, value = local.node_environment[name] }]
    mountPoints    = []
    portMappings   = [{ containerPort = local.ports.node, hostPort = local.ports.node, protocol = "tcp" }]
    stopTimeout    = 120
    systemControls = []
    volumesFrom    = []

    healthCheck      = local.health_check
    linuxParameters  = { initProcessEnabled = true }
    logConfiguration = try(local.log_configuration["node"], null)
    ulimits          = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
  }

  node_containers_json = jsonencode([local.node_container])
}

resource "aws_ecs_task_definition" "node" {
  count = local.nodes ? 1 : 0

  family                   = "${local.name}-node"
  cpu                      = var.worker_cpu
  execution_role_arn       = aws_iam_role.execution.arn
  memory                   = var.worker_memory_mb
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  task_role_arn            = aws_iam_role.task.arn

  container_definitions = local.node_containers_json

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

# A node exits when the controller restarts; the service is the supervisor that starts it again.
resource "aws_ecs_service" "node" {
  count = local.nodes ? 1 : 0

  name            = "${local.name}-node"
  cluster         = aws_ecs_cluster.this.id
  launch_type     = "FARGATE"
  task_definition = aws_ecs_task_definition.node[0].arn

  # Nodes hold state in memory: ECS may not move them for the sake of balance. AWS turns that on unless told.
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
  availability_zone_rebalancing      = "DISABLED"
  deployment_maximum_percent         = 200
  deployment_minimum_healthy_percent = 100
  desired_count                      = var.worker_count

  enable_ecs_managed_tags = true
  enable_execute_command  = true
  propagate_tags          = "SERVICE"
  wait_for_steady_state   = var.wait_for_steady_state

  # A node image that cannot start must not be tried for ever.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    assign_public_ip = false
    security_groups  = [aws_security_group.cluster.id]
    subnets          = var.subnet_ids
  }

  depends_on = [aws_ecs_service.control]

  lifecycle {
    # As of the control task: a deployment that was rolled back looks like one that succeeded.
    postcondition {
      condition     = self.task_definition == aws_ecs_task_definition.node[0].arn
      error_message = "ECS rolled the nodes back: they run ${self.task_definition}, not ${aws_ecs_task_definition.node[0].arn}. Why the new ones stopped: aws ecs describe-services --cluster ${aws_ecs_cluster.this.name} --services ${self.name}, and the log group ${aws_cloudwatch_log_group.this["node"].name}."
    }
  }
}
