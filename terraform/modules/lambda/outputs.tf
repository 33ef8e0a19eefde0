output "architecture" {
  description = "Instruction set that the function runs on."
  value       = one(aws_lambda_function.this.architectures)
}

output "checked" {
  description = "Known once the start-up check passed; depend on it to come after."
  value       = aws_lambda_invocation.check[*].id
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "log_group_name" {
  description = "Name of the log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "policy_json" {
  description = "The permissions of the function, as JSON."
  value       = aws_iam_role_policy.this.policy
}

output "role" {
  description = "Path and permissions boundary of the function's role."
  value       = { path = aws_iam_role.this.path, permissions_boundary = aws_iam_role.this.permissions_boundary }
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "role_name" {
  description = "Name of the function's role."
  value       = aws_iam_role.this.name
}
