output "dlq_name" {
  description = "Name of the queue that names the batches the gate gave up on."
  value       = aws_sqs_queue.dlq.name
}

output "dlq_url" {
  description = "URL of that queue."
  value       = aws_sqs_queue.dlq.url
}

output "function_name" {
  description = "Name of the gate."
  value       = module.function.function_name
}

output "maximum_record_age_seconds" {
  description = "Age at which the gate gives a record up; -1: never."
  value       = aws_lambda_event_source_mapping.stream.maximum_record_age_in_seconds
}

output "policy_json" {
  description = "The permissions of the gate, as JSON."
  value       = module.function.policy_json
}
