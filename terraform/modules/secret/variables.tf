variable "description" {
  description = "What the secret is for."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key; null uses the AWS-managed key of Secrets Manager."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the secret."
  type        = string
  nullable    = false
}

variable "recovery_window_days" {
  description = "Days in which a deleted secret can be restored; 0 deletes at once."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.recovery_window_days == 0 || (var.recovery_window_days >= 7 && var.recovery_window_days <= 30)
    error_message = "recovery_window_days is 0 or from 7 to 30."
  }
}

variable "value_version" {
  description = "A higher number makes a new value."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.value_version >= 1 && floor(var.value_version) == var.value_version
    error_message = "value_version is a whole number of at least 1."
  }
}
