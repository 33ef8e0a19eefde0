resource "aws_secretsmanager_secret" "this" {
  name                    = var.name
  description             = var.description
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_window_days
}

# A new value at each run; it is written only when var.value_version changes.
ephemeral "aws_secretsmanager_random_password" "this" {
  exclude_punctuation = true
  password_length     = 40
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id = aws_secretsmanager_secret.this.id
  # A letter first: Arroyo guesses the type of what it finds in its environment, and takes digits for a number.
  secret_string_wo         = "k${ephemeral.aws_secretsmanager_random_password.this.random_password}"
  secret_string_wo_version = var.value_version

  # Never a moment without a current value.
  lifecycle {
    create_before_destroy = true
  }
}

# Read back, so that a database made in a later run than the secret (a first apply that broke off) gets the value that
# the secret has.
ephemeral "aws_secretsmanager_secret_version" "this" {
  secret_id  = aws_secretsmanager_secret_version.this.secret_id
  version_id = aws_secretsmanager_secret_version.this.version_id
}
