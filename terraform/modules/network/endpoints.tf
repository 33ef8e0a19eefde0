# Gateway endpoints cost nothing and keep checkpoints and the store off the NAT.
resource "aws_vpc_endpoint" "gateway" {
  for_each = toset(["dynamodb", "s3"])

  route_table_ids   = [aws_route_table.private.id]
  service_name      = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  vpc_id            = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-${each.key}" }
}

# Regions opened since 23 December 2023 want endpoints of ECS itself: "You must have the following Region-specific VPC
# endpoints", https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html. Those before are named, so that
# a region that opens later has them.
locals {
  regions_without_ecs_endpoints = [
    "af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2",
    "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ca-central-1", "eu-central-1", "eu-central-2",
    "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1",
    "sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
  ]
  ecs_endpoints = contains(local.regions_without_ecs_endpoints, var.region) ? [] : ["ecs", "ecs-agent", "ecs-telemetry"]
}

# Interface endpoints cost by the hour, zone and service: they replace the NAT, they do not stand beside it.
resource "aws_vpc_endpoint" "interface" {
  for_each = local.nat ? toset([]) : toset(concat(var.interface_endpoints, local.ecs_endpoints))

  private_dns_enabled = true
  security_group_ids  = [aws_security_group.endpoints[0].id]
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  subnet_ids          = values(aws_subnet.private)[*].id
  vpc_endpoint_type   = "Interface"
  vpc_id              = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  count = local.nat ? 0 : 1

  name        = "${var.name_prefix}-endpoints"
  description = "AWS services inside the VPC."
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = local.nat ? 0 : 1

  cidr_ipv4         = aws_vpc.this.cidr_block
  description       = "HTTPS from this VPC."
  from_port         = 443
  ip_protocol       = "tcp"
  security_group_id = aws_security_group.endpoints[0].id
  to_port           = 443
}
