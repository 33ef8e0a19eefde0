# Not every account may use every zone: ap-northeast-1b and one of us-west-1 are kept from newer ones. Local zones and
# wavelength zones want an opt-in, and are left out.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html
data "aws_availability_zones" "usable" {
  count = var.availability_zones == null ? 1 : 0

  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  nat     = var.egress == "nat"
  letters = var.availability_zones != null ? var.availability_zones : [for name in slice(sort(data.aws_availability_zones.usable[0].names), 0, 2) : trimprefix(name, var.region)]
  zones   = { for letter in local.letters : letter => "${var.region}${letter}" }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = var.name_prefix }
}

# A resource that names no security group gets one that allows nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-default-closed" }
}

resource "aws_subnet" "private" {
  for_each = local.zones

  availability_zone = each.value
  cidr_block        = cidrsubnet(var.cidr, 4, index(local.letters, each.key))
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
