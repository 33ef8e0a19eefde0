locals {
  nat   = var.egress == "nat"
  zones = { for letter in var.availability_zones : letter => "${var.region}${letter}" }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = var.name_prefix }
}

# Whoever forgets to name a security group gets one that allows nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-default-closed" }
}

resource "aws_subnet" "private" {
  for_each = local.zones

  availability_zone = each.value
  cidr_block        = cidrsubnet(var.cidr, 4, index(var.availability_zones, each.key))
  vpc_id            = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  route_table_id = aws_route_table.private.id
  subnet_id      = each.value.id
}
