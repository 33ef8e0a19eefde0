output "alerter_architecture" {
  description = "Instruction set that the alerter runs on."
  value       = module.alerter.architecture
}

output "alerter_dlq_arn" {
  description = "ARN of the queue that names the batches the alerter gave up on."
  value       = aws_sqs_queue.this["alerter-dlq"].arn
}

output "alerter_dlq_name" {
  description = "Name of the queue that names the batches the alerter gave up on."
  value       = aws_sqs_queue.this["alerter-dlq"].name
}

output "alerter_dlq_url" {
  description = "URL of the queue that names the batches the alerter gave up on."
  value       = aws_sqs_queue.this["alerter-dlq"].url
}

output "alerter_function_arn" {
  description = "ARN of the alerter."
  value       = module.alerter.function_arn
}

output "alerter_function_name" {
  description = "Name of the alerter."
  value       = module.alerter.function_name
}

output "alerter_policy_json" {
  description = "The permissions of the alerter, as JSON."
  value       = module.alerter.policy_json
}

output "alerter_role" {
  description = "Path and permissions boundary of the alerter's role."
  value       = module.alerter.role
}

output "event_source_mapping_id" {
  description = "Id of the mapping from the anomalies stream to the alerter."
  value       = aws_lambda_event_source_mapping.anomalies.uuid
}

output "failures_bucket" {
  description = "Bucket with the records of batches the alerter gave up on, or null."
  value       = one(aws_s3_bucket.failures[*].bucket)
}

output "inbox_queue_url" {
  description = "URL of the queue that receives every alert, or null without `inbox`."
  value       = one([for key, queue in aws_sqs_queue.this : queue.url if key == "inbox"])
}

output "quarantine_queue_arn" {
  description = "ARN of the quarantine queue."
  value       = aws_sqs_queue.this["quarantine"].arn
}

output "quarantine_queue_name" {
  description = "Name of the quarantine queue."
  value       = aws_sqs_queue.this["quarantine"].name
}

output "quarantine_queue_url" {
  description = "URL of the quarantine queue."
  value       = aws_sqs_queue.this["quarantine"].url
}

output "topic_arn" {
  description = "ARN of the alerts topic."
  value       = aws_sns_topic.alerts.arn
}

output "undelivered_queue_name" {
  description = "Name of the queue of alerts that SNS could not hand to a subscriber, or null without subscriptions."
  # Not the resource's attribute: whether the queue exists must be known before it does.
  value = length(var.subscriptions) > 0 ? "${var.name_prefix}-undelivered" : null
}
