variable "alerter" {
  description = "The alerter function: package, size and environment."
  type = object({
    architecture         = string
    environment          = optional(map(string), {})
    log_retention_days   = optional(number, 30)
    memory_mb            = optional(number, 256)
    package_check        = optional(bool, true)
    reserved_concurrency = optional(number, -1)
    timeout_seconds      = optional(number, 60)
    tracing_enabled      = optional(bool, true)
    zip_path             = string
  })
  nullable = false
}

variable "anomalies_stream_arn" {
  description = "ARN of the stream that the alerter reads."
  type        = string
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to delete the bucket of failed batches while something is in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "event_source" {
  description = "How Lambda reads the stream. AWS' defaults retry a failing batch until its stream forgets it; here its age is always a limit. maximum_retry_attempts -1: no other one."
  type = object({
    batch_size                 = optional(number, 500)
    batching_window_seconds    = optional(number, 1)
    bisect_on_error            = optional(bool, true)
    maximum_record_age_seconds = optional(number, 21600)
    maximum_retry_attempts     = optional(number, 1000)
    parallelization_factor     = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.event_source.batch_size >= 1 && var.event_source.batch_size <= 10000
    error_message = "batch_size is from 1 to 10000."
  }

  validation {
    condition     = var.event_source.batching_window_seconds >= 0 && var.event_source.batching_window_seconds <= 300
    error_message = "batching_window_seconds is from 0 to 300."
  }

  validation {
    condition     = var.event_source.maximum_record_age_seconds >= 60 && var.event_source.maximum_record_age_seconds <= 604800
    error_message = "maximum_record_age_seconds is from 60 to 604800: it must be finite."
  }

  validation {
    condition     = var.event_source.maximum_retry_attempts >= -1 && var.event_source.maximum_retry_attempts <= 10000
    error_message = "maximum_retry_attempts is -1 (no limit but the record's age), or from 0 to 10000."
  }

  validation {
    condition     = var.event_source.parallelization_factor >= 1 && var.event_source.parallelization_factor <= 10
    error_message = "parallelization_factor is from 1 to 10."
  }
}

variable "inbox" {
  description = "Add a queue that receives every alert."
  type        = bool
  default     = false
  nullable    = false
}

variable "keep_failed_records" {
  description = "Keep the records of batches the alerter gave up on, in S3, and not only their sequence numbers. The local emulator has no such destination."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key; null uses AWS-managed keys."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "First part of every name."
  type        = string
  nullable    = false
}

variable "region" {
  description = "AWS region, part of the bucket's name."
  type        = string
  nullable    = false
}

variable "require_tls" {
  description = "Deny calls without TLS. Off only for the local emulator, which speaks plain HTTP."
  type        = bool
  default     = true
  nullable    = false
}

variable "roles" {
  description = "Path of the roles that are made here, and the policy that bounds their permissions."
  type = object({
    path                 = optional(string, "/")
    permissions_boundary = optional(string)
  })
  default  = {}
  nullable = false
}

variable "schedules_enabled" {
  description = "Run the sweep each minute."
  type        = bool
  default     = true
  nullable    = false
}

variable "subscriptions" {
  description = "Who receives alerts. filter_policy is JSON over the message attributes rule, severity and key."
  type = list(object({
    endpoint             = string
    filter_policy        = optional(string)
    protocol             = string
    raw_message_delivery = optional(bool, false)
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for s in var.subscriptions : contains(["email", "email-json", "https", "lambda", "sms", "sqs"], s.protocol)])
    error_message = "A subscription's protocol is email, email-json, https, lambda, sms or sqs (plain http is refused)."
  }

  validation {
    condition     = alltrue([for s in var.subscriptions : s.filter_policy == null || can(jsondecode(s.filter_policy))])
    error_message = "A subscription's filter_policy is JSON."
  }

  validation {
    condition     = alltrue([for s in var.subscriptions : !s.raw_message_delivery || contains(["https", "sqs"], s.protocol)])
    error_message = "raw_message_delivery is for https and sqs."
  }
}

variable "table_arn" {
  description = "ARN of the anomalies table."
  type        = string
  nullable    = false
}

variable "table_name" {
  description = "Name of the anomalies table."
  type        = string
  nullable    = false
}
