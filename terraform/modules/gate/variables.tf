variable "declaration" {
  description = "The stream's file, sql/streams/NAME.toml; samples can be left out."
  type        = string
  nullable    = false

  # Lambda takes 4 KB of environment in all; what is beside the declaration are four names and an address.
  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
  validation {
    condition     = length(base64gzip(var.declaration)) <= 3300
    error_message = "The declaration of ${var.stream} is ${length(base64gzip(var.declaration))} bytes when it is packed, and the gate's environment holds 3300: declare fewer fields."
  }
}

variable "event_source" {
  description = "How Lambda reads the stream. Age is the limit that matters, -1: none but the stream's retention. An outage must not use the retries up; those are for a record that ends the function whenever it comes (-1: for as long as its age allows)."
  type = object({
    batch_size                 = optional(number, 500)
    batching_window_seconds    = optional(number, 1)
    maximum_record_age_seconds = optional(number, -1)
    maximum_retry_attempts     = optional(number, 10000)
    starting_position          = optional(string, "TRIM_HORIZON")
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
    condition     = var.event_source.maximum_record_age_seconds == -1 || (var.event_source.maximum_record_age_seconds >= 60 && var.event_source.maximum_record_age_seconds <= 604800)
    error_message = "maximum_record_age_seconds is -1 (as long as the stream keeps a record), or from 60 to 604800."
  }

  validation {
    condition     = var.event_source.maximum_retry_attempts >= -1 && var.event_source.maximum_retry_attempts <= 10000
    error_message = "maximum_retry_attempts is -1 (no limit but the record's age), or from 0 to 10000."
  }

  # A record that ends the function whenever it comes would hold its shard up for as long as the stream keeps it.
  validation {
    condition     = var.event_source.maximum_retry_attempts >= 0 || var.event_source.maximum_record_age_seconds >= 0
    error_message = "One of maximum_retry_attempts and maximum_record_age_seconds is finite."
  }

  validation {
    condition     = contains(["LATEST", "TRIM_HORIZON"], var.event_source.starting_position)
    error_message = "starting_position is TRIM_HORIZON (everything that the stream still has) or LATEST."
  }
}

variable "function" {
  description = "The function: its package, its sizes, and what is in its environment besides the stream."
  type = object({
    architecture       = optional(string, "arm64")
    environment        = optional(map(string), {})
    log_retention_days = optional(number, 30)
    memory_mb          = optional(number, 512)
    package_check      = optional(bool, true)
    timeout_seconds    = optional(number, 120)
    tracing_enabled    = optional(bool, true)
    zip_path           = string
  })
  nullable = false
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key of what Weir owns; null uses AWS-managed keys."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "First part of every name."
  type        = string
  nullable    = false
}

variable "plain_stream_arn" {
  description = "ARN of the stream that the gate writes."
  type        = string
  nullable    = false
}

variable "plain_stream_name" {
  description = "Name of the stream that the gate writes."
  type        = string
  nullable    = false
}

variable "quarantine_queue_arn" {
  description = "ARN of the queue of poison records."
  type        = string
  nullable    = false
}

variable "quarantine_queue_url" {
  description = "URL of the queue of poison records."
  type        = string
  nullable    = false
}

variable "require_tls" {
  description = "Refuse calls of the queue without TLS. Off only for the local emulator."
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

variable "stream" {
  description = "Name of the declared stream."
  type        = string
  nullable    = false
}

variable "stream_arn" {
  description = "ARN of the stream that is read."
  type        = string
  nullable    = false
}

variable "stream_kms_key_arn" {
  description = "Customer-managed KMS key of the stream that is read, when that is not kms_key_arn; null: none."
  type        = string
  default     = null
}
