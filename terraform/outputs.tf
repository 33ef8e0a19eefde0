output "alarms_topic_arn" {
  description = "ARN of the topic that alarms of Weir itself go to, or null without observability."
  value       = one(module.observability[*].alarms_topic_arn)
}

output "alerter_dlq_arn" {
  description = "ARN of the queue that names the batches the alerter gave up on."
  value       = module.alerts.alerter_dlq_arn
}

output "alerter_dlq_url" {
  description = "URL of the queue that names the batches the alerter gave up on."
  value       = module.alerts.alerter_dlq_url
}

output "alerter_function_arn" {
  description = "ARN of the alerter."
  value       = module.alerts.alerter_function_arn
}

output "alerter_function_name" {
  description = "Name of the alerter."
  value       = module.alerts.alerter_function_name
}

output "anomalies_stream_arn" {
  description = "ARN of the anomalies stream."
  value       = module.streams.arns["anomalies"]
}

output "anomalies_stream_name" {
  description = "Name of the anomalies stream."
  value       = module.streams.names["anomalies"]
}

output "arroyo_api_key_secret" {
  description = "Name of the secret with Arroyo's API key, or null without Arroyo."
  value       = local.arroyo ? module.arroyo_secrets["api-key"].name : null
}

output "arroyo_api_url" {
  description = "Arroyo's API inside the VPC, or null without Arroyo."
  value       = one(module.arroyo[*].api_url)
}

output "arroyo_cluster_name" {
  description = "Name of Arroyo's ECS cluster, or null without Arroyo."
  value       = one(module.arroyo[*].cluster_name)
}

output "arroyo_control_container_definitions" {
  description = "What Arroyo's control task runs, as JSON, or null without Arroyo."
  value       = one(module.arroyo[*].control_container_definitions)
}

output "arroyo_control_service_name" {
  description = "Name of the ECS service of Arroyo's control task, or null without Arroyo."
  value       = one(module.arroyo[*].control_service_name)
}

output "arroyo_load_balancer_dns_name" {
  description = "Name of the internal load balancer before Arroyo, or null without one."
  value       = one(module.arroyo[*].load_balancer_dns_name)
}

output "arroyo_node_container_definitions" {
  description = "What Arroyo's node tasks run, as JSON, or null without nodes."
  value       = one(module.arroyo[*].node_container_definitions)
}

output "arroyo_state_bucket" {
  description = "Bucket of Arroyo's checkpoints and artifacts, or null without Arroyo."
  value       = one(module.arroyo[*].state_bucket)
}

output "dashboard_name" {
  description = "Name of the dashboard, or null without observability."
  value       = one(module.observability[*].dashboard_name)
}

output "endpoint_url" {
  description = "Endpoint of the local emulator, or null on AWS."
  value       = var.endpoint_url
}

output "engine_bucket" {
  description = "Bucket of the embedded engine's programs and state, or null where another engine runs the rules."
  value       = one(module.engine[*].bucket)
}

output "engine_cluster_name" {
  description = "Name of the embedded engine's ECS cluster, or null."
  value       = one(module.engine[*].cluster_name)
}

output "engine_container_definitions" {
  description = "What the embedded engine's task runs, as JSON, or null."
  value       = one(module.engine[*].container_definitions)
}

output "engine_service_name" {
  description = "Name of the embedded engine's ECS service, or null."
  value       = one(module.engine[*].service_name)
}

output "event_source_mapping_id" {
  description = "Id of the mapping from the anomalies stream to the alerter."
  value       = module.alerts.event_source_mapping_id
}

output "events_stream_arn" {
  description = "ARN of the events stream."
  value       = module.streams.arns["events"]
}

output "events_stream_name" {
  description = "Name of the events stream."
  value       = module.streams.names["events"]
}

output "failures_bucket" {
  description = "Bucket with the records of batches the alerter gave up on, or null."
  value       = module.alerts.failures_bucket
}

output "heartbeat_function_arn" {
  description = "ARN of the heartbeat."
  value       = module.heartbeat.function_arn
}

output "heartbeat_function_name" {
  description = "Name of the heartbeat."
  value       = module.heartbeat.function_name
}

output "inbox_queue_url" {
  description = "URL of the queue that receives every alert, or null without `inbox`."
  value       = module.alerts.inbox_queue_url
}

output "quarantine_queue_arn" {
  description = "ARN of the quarantine queue."
  value       = module.alerts.quarantine_queue_arn
}

output "quarantine_queue_url" {
  description = "URL of the quarantine queue."
  value       = module.alerts.quarantine_queue_url
}

output "region" {
  description = "AWS region of the stack."
  value       = var.region
}

output "streams" {
  description = "The declared streams, by name: the stream, whether it is Weir's own, what the engine reads in its place when it passes a gate, the gate, and whether alarms here watch its reader (CloudWatch keeps the metrics of a stream in its own account and region)."
  value = {
    for name, stream in local.streams : name => {
      arn               = local.stream_arns[name]
      gate_dlq_url      = stream.gated ? module.gate[name].dlq_url : null
      gate_function     = stream.gated ? module.gate[name].function_name : null
      own               = stream.create
      plain_stream_name = stream.gated ? module.streams.names["${name}-plain"] : null
      stream_name       = stream.name
      watched           = stream.gated || stream.near
    }
  }
}

output "table_arn" {
  description = "ARN of the anomalies table."
  value       = module.store.table_arn
}

output "table_name" {
  description = "Name of the anomalies table."
  value       = module.store.table_name
}

output "topic_arn" {
  description = "ARN of the alerts topic."
  value       = module.alerts.topic_arn
}
