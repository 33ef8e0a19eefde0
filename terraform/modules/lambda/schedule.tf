resource "aws_scheduler_schedule" "this" {
  for_each = var.schedules

  name                         = "${var.name}-${each.key}"
  description                  = "Calls ${var.name} with ${each.value.input}."
  kms_key_arn                  = var.kms_key_arn
  schedule_expression          = each.value.expression
  schedule_expression_timezone = "UTC"
  state                        = var.schedules_enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    input    = each.value.input
    role_arn = aws_iam_role.scheduler[0].arn

    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }

  # Not before the function is known to be well configured.
  depends_on = [aws_iam_role_policy.scheduler, aws_lambda_invocation.check]
}
