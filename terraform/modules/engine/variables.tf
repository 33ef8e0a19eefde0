variable "anomalies_stream_arn" {
  description = "ARN of the stream that the engine writes."
  type        = string
  nullable    = false
}

variable "availability_zones" {
  description = "Letters of the zones of the network made for the engine; null takes the account's first two."
  type        = list(string)
  default     = null

  validation {
    condition     = var.availability_zones == null || try(length(var.availability_zones) >= 1 && length(var.availability_zones) <= 16, false)
    error_message = "availability_zones names one zone to sixteen."
  }
}

variable "checkpoint_interval_seconds" {
  description = "Time between checkpoints: what a restart reads again, at most. Each is a request to S3."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.checkpoint_interval_seconds >= 1 && var.checkpoint_interval_seconds <= 3600 && floor(var.checkpoint_interval_seconds) == var.checkpoint_interval_seconds
    error_message = "checkpoint_interval_seconds is a whole number from 1 to 3600."
  }
}

variable "cpu" {
  description = "CPU units of the task, 1024 to a core."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "cpu is 256, 512, 1024, 2048, 4096, 8192 or 16384."
  }
}

variable "cpu_architecture" {
  description = "ARM64 or X86_64: what the image is built for."
  type        = string
  default     = "ARM64"
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.cpu_architecture)
    error_message = "cpu_architecture is ARM64 or X86_64."
  }
}

variable "deletion_protection" {
  description = "Keep the bucket while anything is in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "endpoint_url" {
  description = "Endpoint of a local emulator; null means AWS."
  type        = string
  default     = null
}

variable "events_stream_arn" {
  description = "ARN of the stream of events."
  type        = string
  nullable    = false
}

variable "existing_network" {
  description = "A VPC that exists, with private subnets that reach AWS and the image's registry; null makes one of public subnets that let nothing in."
  type = object({
    private_subnet_ids = list(string)
    vpc_id             = string
  })
  default = null

  validation {
    condition     = var.existing_network == null || try(length(var.existing_network.private_subnet_ids) >= 1, false)
    error_message = "existing_network names one subnet at least."
  }
}

variable "image" {
  description = "Image with `weir` at /usr/local/bin/weir (Containerfile), with its tag or digest."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9.:_/-]*[:@][a-zA-Z0-9._:-]+$", var.image))
    error_message = "image has a tag or a digest: REGISTRY/NAME:TAG, or REGISTRY/NAME@sha256:…."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key of bucket and logs; null takes AWS-managed ones."
  type        = string
  default     = null
}

variable "log_level" {
  description = "What the engine logs: warn, info, debug, or a filter as `weir_engine=debug`."
  type        = string
  default     = "warn"
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "memory_mb" {
  description = "Memory of the task in MiB: it holds the state of the windows. A program may hold a quarter of what is left after 256."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    condition = contains({
      "256"   = [512, 1024, 2048]
      "512"   = range(1024, 4097, 1024)
      "1024"  = range(2048, 8193, 1024)
      "2048"  = range(4096, 16385, 1024)
      "4096"  = range(8192, 30721, 1024)
      "8192"  = range(16384, 61441, 4096)
      "16384" = range(32768, 122881, 8192)
    }[tostring(var.cpu)], var.memory_mb)
    error_message = "Fargate does not pair cpu = ${var.cpu} with memory_mb = ${var.memory_mb}: 512, 1024 or 2048 with 256; else from twice to eight times the CPU, in steps of 1024, 4096 from 8 cores on, 8192 with 16."
  }
}

variable "name_prefix" {
  description = "First part of every name."
  type        = string
  nullable    = false
}

variable "network_cidr" {
  description = "Address range of the network made for the engine."
  type        = string
  default     = "10.80.0.0/16"
  nullable    = false
}

variable "pipeline" {
  description = "Name under which the engine writes its metrics, their dimension `pipeline`."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.pipeline) >= 1 && length(var.pipeline) <= 1024
    error_message = "pipeline has 1 to 1024 characters, as CloudWatch has dimensions."
  }
}

variable "read_key_arns" {
  description = "Customer-managed KMS keys of further streams that are read."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "read_stream_arns" {
  description = "ARNs of further streams that are read."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "region" {
  description = "AWS region."
  type        = string
  nullable    = false
}

variable "require_tls" {
  description = "Deny calls to the bucket without TLS. Off only for the local emulator, which speaks plain HTTP."
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

variable "service_linked_roles_create" {
  description = "Make the account's service-linked role of ECS."
  type        = bool
  default     = false
  nullable    = false
}

variable "state_expiration_days" {
  description = "Days that the state of an earlier program is kept, for a rollback to go on from."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.state_expiration_days >= 1 && floor(var.state_expiration_days) == var.state_expiration_days
    error_message = "state_expiration_days is a whole number of at least 1."
  }
}

variable "wait_for_steady_state" {
  description = "Let `terraform apply` end when the task runs."
  type        = bool
  default     = true
  nullable    = false
}
