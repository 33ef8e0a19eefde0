# Gateway endpoints cost nothing and keep checkpoints and the store off the NAT.
resource "aws_vpc_endpoint" "gateway" {
  for_each = toset(["dynamodb", "s3"])

  route_table_ids   = [aws_route_table.private.id]
  service_name      = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  vpc_id            = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-${each.key}" }
}

# Interface endpoints cost by the hour, zone and service: they replace the NAT, they do not stand beside it.
resource "aws_vpc_endpoint" "interface" {
  for_each = local.nat ? toset([]) : toset(var.interface_endpoints)

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
