output "bucket" {
  description = "Bucket of programs, state, and what is wanted."
  value       = aws_s3_bucket.state.bucket
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "container_definitions" {
  description = "What the task runs, as JSON: tests start the same command with the same environment."
  # Not the resource's attribute, to which ECS adds its defaults: an output must not change without a cause.
  value = local.containers_json
}

output "service_name" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}

output "task_policy_json" {
  description = "The engine's permissions, as JSON."
  value       = aws_iam_role_policy.task.policy
}
