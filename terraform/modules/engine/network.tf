# Without a VPC of one's own: two public subnets and a way out for each task by its own address. Nothing may come in. A NAT gateway
# would cost several times what the task does, and so would endpoints.

# Not every account may use every zone, and local zones want an opt-in (modules/network).
data "aws_availability_zones" "usable" {
  count = local.own && var.availability_zones == null ? 1 : 0

  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  own     = var.existing_network == null
  letters = !local.own ? [] : var.availability_zones != null ? var.availability_zones : [for name in slice(sort(data.aws_availability_zones.usable[0].names), 0, 2) : trimprefix(name, var.region)]

  network = {
    public     = local.own
    subnet_ids = local.own ? [for letter in local.letters : aws_subnet.public[letter].id] : var.existing_network.private_subnet_ids
    vpc_id     = local.own ? aws_vpc.this[0].id : var.existing_network.vpc_id
  }
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:One task that nobody can connect to, and that speaks to AWS alone; flow logs would cost more than it does.
  count = local.own ? 1 : 0

  cidr_block           = var.network_cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = local.name }
}

# A resource that names no security group gets one that allows nothing.
resource "aws_default_security_group" "this" {
  count = local.own ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = "${local.name}-default-closed" }
}

resource "aws_internet_gateway" "this" {
  count = local.own ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = local.name }
}

resource "aws_subnet" "public" {
  for_each = toset(local.letters)

  availability_zone = "${var.region}${each.key}"
  cidr_block        = cidrsubnet(var.network_cidr, 4, index(local.letters, each.key))
  vpc_id            = aws_vpc.this[0].id

  tags = { Name = "${local.name}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  count = local.own ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = "${local.name}-public" }
}

resource "aws_route" "internet" {
  count = local.own ? 1 : 0

  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
  route_table_id         = aws_route_table.public[0].id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  route_table_id = aws_route_table.public[0].id
  subnet_id      = each.value.id
}

# Nothing comes in.
resource "aws_security_group" "this" {
  name        = local.name
  description = "The engine's task: out over HTTPS, nothing in."
  vpc_id      = local.network.vpc_id

  tags = { Name = local.name }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  cidr_ipv4         = "0.0.0.0/0"
  description       = "HTTPS to AWS and to the image's registry."
  from_port         = 443
  ip_protocol       = "tcp"
  security_group_id = aws_security_group.this.id
  to_port           = 443
}
