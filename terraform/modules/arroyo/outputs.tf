output "api_url" {
  description = "Arroyo's API inside the VPC."
  value       = "http://${local.control_host}:${local.ports.api}"
}

output "checkpoint_metrics" {
  description = "Filter id of the bucket's request metrics for checkpoints."
  value       = aws_s3_bucket_metric.checkpoints.name
}

output "client_security_group_id" {
  description = "Security group of what may call the API."
  value       = aws_security_group.client.id

  # A function's start-up check runs as soon as the function is there, and its way out must be open by then.
  depends_on = [aws_vpc_security_group_egress_rule.client, aws_vpc_security_group_egress_rule.https]
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "control_container_definitions" {
  description = "What the control task runs, as JSON: `make test-arroyo` starts the same commands with the same environment."
  # Not the resource's attribute, to which ECS adds its defaults: an output must not change without a cause.
  value = local.control_containers_json
}

output "control_service_name" {
  description = "Name of the ECS service of the control task."
  value       = aws_ecs_service.control.name
}

output "database_identifier" {
  description = "Identifier of the database instance or cluster."
  value       = local.name
}

output "load_balancer_dns_name" {
  description = "Name of the internal load balancer, or null."
  value       = one(aws_lb.api[*].dns_name)
}

output "node_container_definitions" {
  description = "What a node task runs, as JSON, or null without nodes."
  value       = local.nodes ? local.node_containers_json : null
}

output "node_service_name" {
  description = "Name of the ECS service of the nodes, or null."
  value       = one(aws_ecs_service.node[*].name)
}

output "state_bucket" {
  description = "Bucket of checkpoints and artifacts."
  value       = aws_s3_bucket.state.bucket
}

output "task_policy_json" {
  description = "The permissions of Arroyo's pipelines, as JSON."
  value       = aws_iam_role_policy.task.policy
}
