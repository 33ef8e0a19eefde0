# With egress = "nat": one gateway in one zone. Losing that zone stops the processing: Kinesis, Secrets Manager, the logs and
# the image are reached through it; only S3 and DynamoDB have gateway endpoints.

resource "aws_internet_gateway" "this" {
  count = local.nat ? 1 : 0

  vpc_id = aws_vpc.this.id

  tags = { Name = var.name_prefix }
}

resource "aws_subnet" "public" {
  count = local.nat ? 1 : 0

  availability_zone = local.zones[local.letters[0]]
  # Behind the private ranges. Nothing gets a public address by default; only the gateway has one.
  cidr_block = cidrsubnet(var.cidr, 4, 15)
  vpc_id     = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-public" }
}

resource "aws_route_table" "public" {
  count = local.nat ? 1 : 0

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-public" }
}

resource "aws_route" "internet" {
  count = local.nat ? 1 : 0

  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
  route_table_id         = aws_route_table.public[0].id
}

resource "aws_route_table_association" "public" {
  count = local.nat ? 1 : 0

  route_table_id = aws_route_table.public[0].id
  subnet_id      = aws_subnet.public[0].id
}

resource "aws_eip" "nat" {
  count = local.nat ? 1 : 0

  domain = "vpc"

  tags = { Name = "${var.name_prefix}-nat" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  count = local.nat ? 1 : 0

  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id

  tags = { Name = var.name_prefix }

  depends_on = [aws_route.internet]
}

resource "aws_route" "nat" {
  count = local.nat ? 1 : 0

  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[0].id
  route_table_id         = aws_route_table.private.id
}
