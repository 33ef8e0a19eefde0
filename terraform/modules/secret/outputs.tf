output "arn" {
  description = "ARN of the secret."
  value       = aws_secretsmanager_secret.this.arn
}

output "name" {
  description = "Name of the secret."
  value       = aws_secretsmanager_secret.this.name

  # Who reads the secret by its name finds a value in it.
  depends_on = [aws_secretsmanager_secret_version.this]
}

output "value" {
  description = "The value; ephemeral, so that it reaches no plan and no state."
  value       = ephemeral.aws_secretsmanager_secret_version.this.secret_string
  ephemeral   = true
}
