variable "availability_zones" {
  description = "Letters of the zones with a private subnet; the database needs two. Null: the first two that the account may use."
  type        = list(string)
  default     = null

  validation {
    condition     = var.availability_zones == null || try(contains([2, 3], length(distinct(var.availability_zones))) && alltrue([for letter in var.availability_zones : can(regex("^[a-f]$", letter))]), false)
    error_message = "availability_zones names two or three zones by their letter, as in [\"a\", \"b\"]."
  }
}

variable "cidr" {
  description = "Address range of the VPC."
  type        = string
  default     = "10.80.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && can(regex("/(1[6-9]|2[0-2])$", var.cidr))
    error_message = "cidr is an IPv4 range from /16 to /22."
  }
}

variable "egress" {
  description = "endpoints: AWS only, through interface endpoints, no way to the internet. nat: the internet through one NAT gateway."
  type        = string
  default     = "endpoints"
  nullable    = false

  validation {
    condition     = contains(["endpoints", "nat"], var.egress)
    error_message = "egress is endpoints or nat."
  }
}

variable "flow_logs_enabled" {
  description = "Log who talks to whom."
  type        = bool
  default     = true
  nullable    = false
}

variable "interface_endpoints" {
  description = "AWS services that are reached inside the VPC when egress is endpoints."
  type        = list(string)
  # What Arroyo's tasks and the heartbeat call: image, logs, secrets, streams, and ECS Exec for the tunnel to the UI.
  default  = ["ecr.api", "ecr.dkr", "kinesis-streams", "logs", "secretsmanager", "ssmmessages"]
  nullable = false
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for flow logs; null uses the AWS-managed key."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that flow logs are kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "name_prefix" {
  description = "First part of every name."
  type        = string
  nullable    = false
}

variable "region" {
  description = "AWS region, part of the endpoints' names."
  type        = string
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
