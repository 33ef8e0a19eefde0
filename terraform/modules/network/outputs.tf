output "egress_cidrs" {
  description = "Address ranges that tasks must reach over HTTPS."
  value       = local.nat ? ["0.0.0.0/0"] : [var.cidr]
}

output "egress_prefix_lists" {
  description = "Prefix lists that tasks must reach over HTTPS, by service."
  # With a NAT every address is allowed anyway.
  value = local.nat ? {} : { for service, endpoint in aws_vpc_endpoint.gateway : service => endpoint.prefix_list_id }
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, one a zone."
  value       = values(aws_subnet.private)[*].id

  # Who takes these subnets wants the way out to be there: a task that starts before it cannot pull its image.
  depends_on = [
    aws_route.nat,
    aws_route_table_association.private,
    aws_vpc_endpoint.gateway,
    aws_vpc_endpoint.interface,
    aws_vpc_security_group_ingress_rule.endpoints,
  ]
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}
