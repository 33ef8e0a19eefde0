variable "alerter_dlq_name" {
  description = "Queue of the batches the alerter gave up on."
  type        = string
  nullable    = false
}

variable "alerter_function_name" {
  description = "Name of the alerter."
  type        = string
  nullable    = false
}

variable "anomalies_stream_name" {
  description = "Name of the anomalies stream."
  type        = string
  nullable    = false
}

variable "arroyo" {
  description = "The Arroyo cluster to watch; null when rules run elsewhere."
  type = object({
    checkpoint_metrics   = string
    cluster_name         = string
    control_service_name = string
    database_identifier  = string
    database_is_cluster  = optional(bool, false)
    state_bucket         = string
  })
  default = null
}

variable "budget" {
  description = "Monthly budget with an alarm; null: none. cost_tag_activated: the tag `stack` is activated for cost allocation, count this stack only."
  type = object({
    cost_tag_activated = optional(bool, false)
    monthly_usd        = number
  })
  default = null

  validation {
    condition     = var.budget == null || try(var.budget.monthly_usd > 0, false)
    error_message = "budget.monthly_usd is above 0."
  }
}

variable "checkpoint_age_seconds" {
  description = "Time without a checkpoint that is an alarm."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.checkpoint_age_seconds % 60 == 0 && var.checkpoint_age_seconds >= 60 && var.checkpoint_age_seconds <= 86400
    error_message = "checkpoint_age_seconds is a multiple of 60, from 60 to 86400."
  }
}

variable "embedded_pipeline" {
  description = "Name under which the embedded engine writes its metrics to a log group of this account and region (`weir run --emf NAME`); null: it writes none, and no alarm watches it."
  type        = string
  default     = null

  validation {
    condition     = var.embedded_pipeline == null || try(length(var.embedded_pipeline) >= 1 && length(var.embedded_pipeline) <= 1024, false)
    error_message = "embedded_pipeline is null, or a text of 1 to 1024 characters, as CloudWatch has dimensions."
  }
}

variable "engine" {
  description = "The embedded engine's service to watch, which writes metrics as embedded_pipeline; null when there is none."
  type = object({
    cluster_name = string
    service_name = string
  })
  default = null

  validation {
    condition     = var.engine == null || var.embedded_pipeline != null
    error_message = "engine needs embedded_pipeline, the name under which its metrics are written."
  }
}

variable "events_stream_name" {
  description = "Name of the events stream."
  type        = string
  nullable    = false
}

variable "heartbeat_function_name" {
  description = "Name of the heartbeat."
  type        = string
  nullable    = false
}

variable "heartbeats_of_streams" {
  description = "The heartbeat has declared streams to beat, too."
  type        = bool
  default     = false
  nullable    = false
}

variable "iterator_age_seconds" {
  description = "Lag of a reader that is an alarm, when it lasts for five minutes."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.iterator_age_seconds >= 1
    error_message = "iterator_age_seconds is at least 1."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for the alarm topic; null leaves it unencrypted, because CloudWatch cannot use the AWS-managed key."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "First part of every name."
  type        = string
  nullable    = false
}

variable "probe_missing_minutes" {
  description = "Minutes without a probe that are an alarm."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.probe_missing_minutes >= 2 && var.probe_missing_minutes <= 60
    error_message = "probe_missing_minutes is from 2 to 60: probes leave once a minute."
  }
}

variable "probe_slow_seconds" {
  description = "Time of a probe through the whole path that is an alarm, when it lasts for five minutes."
  type        = number
  default     = 120
  nullable    = false
}

variable "quarantine_queue_name" {
  description = "Queue of poison records."
  type        = string
  nullable    = false
}

variable "quarantine_threshold" {
  description = "Messages in quarantine above which it is an alarm."
  type        = number
  default     = 0
  nullable    = false
}

variable "region" {
  description = "AWS region of the dashboard's metrics."
  type        = string
  nullable    = false
}

variable "runbook_url" {
  description = "Where docs/runbooks.md can be opened, for the links in alarms; null: the path in the repository, which no phone opens."
  type        = string
  default     = null

  validation {
    condition     = var.runbook_url == null || can(regex("^https://[^#]+$", var.runbook_url))
    error_message = "runbook_url is an https address without a #."
  }
}

variable "streams" {
  description = "The declared streams, by name: whether Weir made it, its gate and what that writes, whether it is of this account and region (metrics are kept where the stream is), and the stream's own name."
  type = map(object({
    created = optional(bool, false)
    gate = optional(object({
      dlq_name          = string
      function_name     = string
      plain_stream_name = string
    }))
    near        = optional(bool, true)
    stream_name = string
  }))
  default  = {}
  nullable = false
}

variable "subscriptions" {
  description = "Who is told of alarms."
  type = list(object({
    endpoint = string
    protocol = string
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for s in var.subscriptions : contains(["email", "email-json", "https", "lambda", "sms", "sqs"], s.protocol)])
    error_message = "A subscription's protocol is email, email-json, https, lambda, sms or sqs (plain http is refused)."
  }
}

variable "table_name" {
  description = "Name of the anomalies table."
  type        = string
  nullable    = false
}

variable "undelivered_queue_name" {
  description = "Queue of alerts that SNS could not deliver, or null without subscriptions."
  type        = string
  default     = null
}
