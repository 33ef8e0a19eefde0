variable "deletion_protection" {
  description = "Refuse to delete the table, also by Terraform."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key; null uses the AWS-managed key of DynamoDB."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the table."
  type        = string
  nullable    = false
}

variable "point_in_time_recovery" {
  description = "Keep continuous backups of the last 35 days."
  type        = bool
  default     = true
  nullable    = false
}
