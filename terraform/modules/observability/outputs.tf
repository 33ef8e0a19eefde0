output "alarm_names" {
  description = "Names of the alarms."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}

output "told_alarm_names" {
  description = "Names of the alarms that tell somebody."
  value = sort(concat(
    [for key, alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name if !contains(local.symptoms, key)],
    [aws_cloudwatch_composite_alarm.path.alarm_name],
    [for alarm in aws_cloudwatch_composite_alarm.gate : alarm.alarm_name],
  ))
}

output "alarms_topic_arn" {
  description = "ARN of the topic that alarms go to."
  value       = aws_sns_topic.alarms.arn
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "runbooks" {
  description = "Heading in docs/runbooks.md of each alarm."
  value       = { for key, alarm in local.alarms : key => alarm.runbook }
}
