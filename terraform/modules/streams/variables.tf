variable "deletion_protection" {
  description = "Refuse plans that delete a stream, or replace it by one of another name."
  type        = bool
  default     = false
  nullable    = false
}

variable "encrypted" {
  description = "Encrypt at rest. Off only for the local emulator, where it costs 20 s of the provider's fixed waits and encrypts nothing."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key; null uses the AWS-managed key of Kinesis."
  type        = string
  default     = null
}

variable "mode" {
  description = "Capacity mode of the streams. Arroyo's source fails when shards come and go by themselves, so PROVISIONED is the safe one."
  type        = string
  default     = "PROVISIONED"
  nullable    = false

  validation {
    condition     = contains(["ON_DEMAND", "PROVISIONED"], var.mode)
    error_message = "mode is PROVISIONED or ON_DEMAND."
  }
}

variable "streams" {
  description = "The streams, by a short name that outputs use as key; mode: another one than that of all."
  type = map(object({
    mode            = optional(string)
    name            = string
    retention_hours = optional(number, 24)
    shard_count     = optional(number, 1)
  }))
  nullable = false

  validation {
    condition     = alltrue([for s in values(var.streams) : s.shard_count >= 1 && s.shard_count <= 500 && floor(s.shard_count) == s.shard_count])
    error_message = "shard_count is a whole number from 1 to 500."
  }

  validation {
    condition     = alltrue([for s in values(var.streams) : s.retention_hours >= 24 && s.retention_hours <= 8760 && floor(s.retention_hours) == s.retention_hours])
    error_message = "retention_hours is a whole number from 24 to 8760."
  }
}
