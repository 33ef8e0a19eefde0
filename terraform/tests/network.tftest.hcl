mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix = "weir"
  region      = "eu-central-1"
}

run "no_way_to_the_internet_by_default" {
  module { source = "./modules/network" }

  assert {
    condition     = length(aws_internet_gateway.this) == 0 && length(aws_nat_gateway.this) == 0 && length(aws_subnet.public) == 0
    error_message = "by default nothing leads to the internet"
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["ecr.api", "ecr.dkr", "kinesis-streams", "logs", "secretsmanager", "ssmmessages"])
    error_message = "what Arroyo calls is reached inside the VPC"
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "the usual names lead to the endpoints"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.80.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints[0].from_port == 443
    error_message = "endpoints are open to this VPC, over HTTPS"
  }

  assert {
    condition     = toset(output.egress_cidrs) == toset(["10.80.0.0/16"]) && toset(keys(output.egress_prefix_lists)) == toset(["dynamodb", "s3"])
    error_message = "tasks need the VPC, S3 and DynamoDB, and nothing else"
  }

  assert {
    condition     = length(aws_subnet.private) == 2 && alltrue([for subnet in aws_subnet.private : subnet.map_public_ip_on_launch != true])
    error_message = "two private subnets, without public addresses"
  }

  assert {
    condition     = length(aws_flow_log.this) == 1 && aws_flow_log.this[0].traffic_type == "ALL"
    error_message = "flow logs are on"
  }
}

run "newer_regions_want_endpoints_of_ecs" {
  module { source = "./modules/network" }

  variables {
    availability_zones = ["a", "b"]
    region             = "mx-central-1"
  }

  assert {
    condition     = length(setintersection(toset(keys(aws_vpc_endpoint.interface)), toset(["ecs", "ecs-agent", "ecs-telemetry"]))) == 3
    error_message = "in a region opened since December 2023 tasks reach ECS through endpoints of its own"
  }
}

run "zones_that_the_account_may_use" {
  module { source = "./modules/network" }

  override_data {
    target = data.aws_availability_zones.usable[0]
    values = { names = ["ap-northeast-1d", "ap-northeast-1a", "ap-northeast-1c"] }
  }

  variables {
    egress = "nat"
    region = "ap-northeast-1"
  }

  assert {
    condition     = toset(values(aws_subnet.private)[*].availability_zone) == toset(["ap-northeast-1a", "ap-northeast-1c"]) && aws_subnet.public[0].availability_zone == "ap-northeast-1a"
    error_message = "the first two zones that the account may use, not a and b"
  }
}

run "flow_logs_of_this_account" {
  module { source = "./modules/network" }

  assert {
    condition     = jsondecode(aws_iam_role.flow[0].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "only flow logs of this account may take the role"
  }

  assert {
    condition     = contains(flatten([for s in jsondecode(aws_iam_role_policy.flow[0].policy).Statement : s.Action]), "logs:DescribeLogGroups")
    error_message = "flow logs look for their group"
  }
}

run "nat_in_place_of_endpoints" {
  module { source = "./modules/network" }

  variables {
    availability_zones = ["a", "b", "c"]
    egress             = "nat"
    flow_logs_enabled  = false
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_vpc_endpoint.interface) == 0 && toset(keys(aws_vpc_endpoint.gateway)) == toset(["dynamodb", "s3"])
    error_message = "one gateway replaces the interface endpoints; the free gateway endpoints stay"
  }

  assert {
    condition     = length(distinct(concat([for subnet in aws_subnet.private : subnet.cidr_block], [aws_subnet.public[0].cidr_block]))) == 4
    error_message = "subnets do not overlap"
  }

  assert {
    condition     = length(aws_flow_log.this) == 0 && length(aws_iam_role.flow) == 0
    error_message = "flow logs can be left out"
  }
}

run "limits" {
  command = plan
  module { source = "./modules/network" }

  variables {
    availability_zones = ["a"]
    cidr               = "10.0.0.0/28"
    egress             = "open"
  }

  expect_failures = [var.availability_zones, var.cidr, var.egress]
}
