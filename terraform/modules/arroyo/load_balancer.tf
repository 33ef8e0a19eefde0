# Off by default. Internal, TLS only, and only for the address ranges that are named.

resource "aws_security_group" "load_balancer" {
  count = var.load_balancer == null ? 0 : 1

  name        = "${local.name}-load-balancer"
  description = "Arroyo's API and UI over TLS."
  vpc_id      = var.vpc_id

  tags = { Name = "${local.name}-load-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  for_each = var.load_balancer == null ? toset([]) : toset(var.load_balancer.allowed_cidrs)

  cidr_ipv4         = each.value
  description       = "People and tools that may see Arroyo."
  from_port         = 443
  ip_protocol       = "tcp"
  security_group_id = aws_security_group.load_balancer[0].id
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "load_balancer" {
  for_each = var.load_balancer == null ? {} : { admin = local.ports.admin, api = local.ports.api }

  description                  = "Arroyo."
  from_port                    = each.value
  ip_protocol                  = "tcp"
  referenced_security_group_id = aws_security_group.cluster.id
  security_group_id            = aws_security_group.load_balancer[0].id
  to_port                      = each.value
}

resource "aws_vpc_security_group_ingress_rule" "from_load_balancer" {
  for_each = var.load_balancer == null ? {} : { admin = local.ports.admin, api = local.ports.api }

  description                  = "Load balancer."
  from_port                    = each.value
  ip_protocol                  = "tcp"
  referenced_security_group_id = aws_security_group.load_balancer[0].id
  security_group_id            = aws_security_group.cluster.id
  to_port                      = each.value
}

resource "aws_lb" "api" {
  count = var.load_balancer == null ? 0 : 1

  name                       = local.name
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  internal                   = true
  load_balancer_type         = "application"
  security_groups            = [aws_security_group.load_balancer[0].id]
  subnets                    = var.subnet_ids

  depends_on = [aws_iam_service_linked_role.this]
}

resource "aws_lb_target_group" "api" {
  count = var.load_balancer == null ? 0 : 1

  name                 = local.name
  deregistration_delay = 10
  port                 = local.ports.api
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id

  # The API answers 401 without its key; the admin port does not ask for one.
  health_check {
    path = "/status"
    port = tostring(local.ports.admin)
  }
}

resource "aws_lb_listener" "api" {
  count = var.load_balancer == null ? 0 : 1

  certificate_arn   = var.load_balancer.certificate_arn
  load_balancer_arn = aws_lb.api[0].arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    target_group_arn = aws_lb_target_group.api[0].arn
    type             = "forward"
  }
}
