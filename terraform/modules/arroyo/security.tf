# Three groups. `cluster`: Arroyo's tasks. `database`: reached by the cluster alone. `client`: what may call the API
# (the heartbeat). Nothing is open to an address range but the load balancer, when there is one.

resource "aws_security_group" "client" {
  #checkov:skip=CKV2_AWS_5:The heartbeat function has it, in another module.
  name        = "${local.name}-client"
  description = "May call Arroyo's API."
  vpc_id      = var.vpc_id

  tags = { Name = "${local.name}-client" }
}

resource "aws_security_group" "cluster" {
  name        = "${local.name}-cluster"
  description = "Arroyo's control task and nodes."
  vpc_id      = var.vpc_id

  tags = { Name = "${local.name}-cluster" }
}

resource "aws_security_group" "database" {
  name        = "${local.name}-database"
  description = "Arroyo's catalogue."
  vpc_id      = var.vpc_id

  tags = { Name = "${local.name}-database" }
}

locals {
  https_groups = { client = aws_security_group.client.id, cluster = aws_security_group.cluster.id }

  https_to_cidrs = {
    for pair in setproduct(keys(local.https_groups), var.egress_cidrs) :
    "${pair[0]}-${pair[1]}" => { group = local.https_groups[pair[0]], cidr = pair[1], prefix_list = null }
  }
  https_to_prefix_lists = {
    for pair in setproduct(keys(local.https_groups), keys(var.egress_prefix_lists)) :
    "${pair[0]}-${pair[1]}" => { group = local.https_groups[pair[0]], cidr = null, prefix_list = var.egress_prefix_lists[pair[1]] }
  }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = merge(local.https_to_cidrs, local.https_to_prefix_lists)

  cidr_ipv4         = each.value.cidr
  description       = "HTTPS to AWS."
  from_port         = 443
  ip_protocol       = "tcp"
  prefix_list_id    = each.value.prefix_list
  security_group_id = each.value.group
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "client" {
  description                  = "Arroyo's API."
  from_port                    = local.ports.api
  ip_protocol                  = "tcp"
  referenced_security_group_id = aws_security_group.cluster.id
  security_group_id            = aws_security_group.client.id
  to_port                      = local.ports.api
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  description                  = "Arroyo's API, from its clients."
  from_port                    = local.ports.api
  ip_protocol                  = "tcp"
  referenced_security_group_id = aws_security_group.client.id
  security_group_id            = aws_security_group.cluster.id
  to_port                      = local.ports.api
}

resource "aws_vpc_security_group_egress_rule" "database" {
  description                  = "Catalogue."
  from_port                    = local.database.port
  ip_protocol                  = "tcp"
  referenced_security_group_id = aws_security_group.database.id
  security_group_id            = aws_security_group.cluster.id
  to_port                      = local.database.port
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  description                  = "Catalogue, from Arroyo."
  from_port                    = local.database.port
  ip_protocol                  = "tcp"
  referenced_security_group_id = aws_security_group.cluster.id
  security_group_id            = aws_security_group.database.id
  to_port                      = local.database.port
}

# Workers listen on ports the system gives them (Arroyo 0.15 ignores its own setting), so every port, among the tasks
# alone, and only when there are nodes.
resource "aws_vpc_security_group_egress_rule" "nodes" {
  count = local.nodes ? 1 : 0

  description                  = "Controller, nodes and workers among each other."
  from_port                    = 1024
  ip_protocol                  = "tcp"
  referenced_security_group_id = aws_security_group.cluster.id
  security_group_id            = aws_security_group.cluster.id
  to_port                      = 65535
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  #checkov:skip=CKV_AWS_25:It lets in this very security group, no address range.
  count = local.nodes ? 1 : 0

  description                  = "Controller, nodes and workers among each other."
  from_port                    = 1024
  ip_protocol                  = "tcp"
  referenced_security_group_id = aws_security_group.cluster.id
  security_group_id            = aws_security_group.cluster.id
  to_port                      = 65535
}
