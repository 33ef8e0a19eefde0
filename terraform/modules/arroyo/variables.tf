variable "allowed_restarts" {
  description = "Restarts of a failing pipeline, without two healthy minutes between, before Arroyo gives it up as Failed."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.allowed_restarts >= 1 && floor(var.allowed_restarts) == var.allowed_restarts
    error_message = "allowed_restarts is a whole number of at least 1."
  }
}

variable "anomalies_stream_arn" {
  description = "ARN of the stream that pipelines write."
  type        = string
  nullable    = false
}

variable "api_key_secret_arn" {
  description = "ARN of the secret with the API key, which starts with a letter."
  type        = string
  nullable    = false
}

variable "checkpoint_expiration_days" {
  description = "Age at which checkpoint files are deleted: above the longest window and above the longest time that a pipeline is kept stopped."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.checkpoint_expiration_days >= 30
    error_message = "checkpoint_expiration_days is at least 30: a younger file may belong to a pipeline that still needs it."
  }
}

variable "checkpoint_interval_seconds" {
  description = "Time between checkpoints: the most that is computed again after a failure."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.checkpoint_interval_seconds >= 1 && var.checkpoint_interval_seconds <= 86400 && floor(var.checkpoint_interval_seconds) == var.checkpoint_interval_seconds
    error_message = "checkpoint_interval_seconds is a whole number from 1 to 86400, as Arroyo demands."
  }
}

variable "container_insights" {
  description = "Metrics of each task in CloudWatch, at a price."
  type        = bool
  default     = false
  nullable    = false
}

variable "control_cpu" {
  description = "CPU units of the control task, 1024 to a core."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    condition     = contains([512, 1024, 2048, 4096, 8192, 16384], var.control_cpu)
    error_message = "control_cpu is 512, 1024, 2048, 4096, 8192 or 16384."
  }
}

variable "control_memory_mb" {
  description = "Memory of the control task in MiB. Without nodes it holds the state of all windows."
  type        = number
  default     = 4096
  nullable    = false

  validation {
    condition = contains({
      "512"   = range(1024, 4097, 1024)
      "1024"  = range(2048, 8193, 1024)
      "2048"  = range(4096, 16385, 1024)
      "4096"  = range(8192, 30721, 1024)
      "8192"  = range(16384, 61441, 4096)
      "16384" = range(32768, 122881, 8192)
    }[tostring(var.control_cpu)], var.control_memory_mb)
    error_message = "Fargate does not pair control_cpu = ${var.control_cpu} with control_memory_mb = ${var.control_memory_mb}: from twice to eight times the CPU, in steps of 1024, 4096 from 8 cores on, 8192 with 16."
  }
}

variable "cpu_architecture" {
  description = "ARM64 or X86_64; the image has both."
  type        = string
  default     = "ARM64"
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.cpu_architecture)
    error_message = "cpu_architecture is ARM64 or X86_64."
  }
}

variable "database" {
  description = "PostgreSQL for the catalogue: RDS (postgres), or Aurora Serverless v2 (aurora-postgresql). The windows are in UTC."
  type = object({
    aurora_max_capacity        = optional(number, 2)
    aurora_min_capacity        = optional(number, 0.5)
    auto_minor_version_upgrade = optional(bool, true)
    backup_days                = optional(number, 7)
    backup_window              = optional(string)
    engine                     = optional(string, "postgres")
    final_snapshot             = optional(bool, false)
    instance_class             = optional(string, "db.t4g.micro")
    maintenance_window         = optional(string)
    multi_az                   = optional(bool, false)
    performance_insights       = optional(bool, false)
    storage_gib                = optional(number, 20)
    version                    = optional(string, "17")
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["aurora-postgresql", "postgres"], var.database.engine)
    error_message = "database.engine is postgres or aurora-postgresql."
  }

  validation {
    condition     = can(regex("^1[4-9]$", var.database.version))
    error_message = "database.version is a major version of PostgreSQL from 14 on."
  }

  validation {
    condition     = var.database.backup_window == null || can(regex("^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$", var.database.backup_window))
    error_message = "database.backup_window is hh:mm-hh:mm in UTC, as in 02:00-02:30."
  }

  validation {
    condition     = var.database.maintenance_window == null || can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", lower(var.database.maintenance_window)))
    error_message = "database.maintenance_window is ddd:hh:mm-ddd:hh:mm in UTC, as in sun:03:00-sun:03:30."
  }

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days is from 1 to 35."
  }

  validation {
    condition     = var.database.storage_gib >= 20
    error_message = "database.storage_gib is at least 20."
  }
}

variable "database_password" {
  description = "The password in the secret, handed over without touching plan or state."
  type        = string
  ephemeral   = true
  nullable    = false
}

variable "database_password_secret_arn" {
  description = "ARN of the secret with the database's password."
  type        = string
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to delete the database, the bucket with state in it, and the load balancer."
  type        = bool
  default     = false
  nullable    = false
}

variable "egress_cidrs" {
  description = "Address ranges that tasks must reach over HTTPS."
  type        = list(string)
  nullable    = false
}

variable "egress_prefix_lists" {
  description = "Prefix lists that tasks must reach over HTTPS, by a name."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "ephemeral_storage_gib" {
  description = "Disk of a task; 20 are free."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.ephemeral_storage_gib >= 20 && var.ephemeral_storage_gib <= 200
    error_message = "ephemeral_storage_gib is from 20 to 200."
  }
}

variable "events_stream_arn" {
  description = "ARN of the stream that pipelines read."
  type        = string
  nullable    = false
}

variable "image" {
  description = "Arroyo's image with its tag. From a private ECR repository when the network has no way to the internet."
  type        = string
  default     = "ghcr.io/arroyosystems/arroyo:0.15.0"
  nullable    = false

  validation {
    condition     = can(regex("^[^@]+:[A-Za-z0-9._-]+$", var.image)) && !can(regex(":(latest|tip)$", var.image))
    error_message = "image names a tag that stays (not latest, not tip); the digest has a variable of its own."
  }

  validation {
    condition     = var.image_from_internet || can(regex("\\.dkr\\.ecr\\.", var.image))
    error_message = "No task of this network reaches a registry on the internet: copy the image to ECR and name it in arroyo_image, or set network_egress = \"nat\"."
  }
}

variable "image_digest" {
  description = "Digest that the tag must have; null trusts the tag."
  type        = string
  default     = null

  validation {
    condition     = var.image_digest == null || can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))
    error_message = "image_digest is sha256: and 64 hex digits."
  }
}

variable "image_from_internet" {
  description = "The network has a way to registries on the internet; without one the image must come from ECR."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key; null uses AWS-managed keys."
  type        = string
  default     = null
}

variable "load_balancer" {
  description = "An internal load balancer with TLS before API and UI, for named address ranges; null: nothing listens, and `make ui` opens a tunnel."
  type = object({
    allowed_cidrs   = list(string)
    certificate_arn = string
  })
  default = null

  validation {
    condition     = var.load_balancer == null || try(length(var.load_balancer.allowed_cidrs) > 0 && !contains(var.load_balancer.allowed_cidrs, "0.0.0.0/0"), false)
    error_message = "load_balancer.allowed_cidrs names at least one range, and not the whole internet."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "name_prefix" {
  description = "First part of every name."
  type        = string
  nullable    = false
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

variable "secrets_version" {
  description = "Version of both secrets: a higher one sets the database's password and replaces the control task."
  type        = number
  default     = 1
  nullable    = false
}

variable "service_linked_roles_create" {
  description = "Make the account's service-linked roles of ECS, RDS and, with a load balancer, Elastic Load Balancing."
  type        = bool
  default     = false
  nullable    = false
}

variable "source_batches" {
  description = "What Arroyo's source favours. `latency` hands on each record within milliseconds, at the cost of a batch of one row each. `throughput` hands on batches of 32 records: many times less CPU, and a record of a quiet stream waits for the next checkpoint. Take `throughput` above some hundred events a second."
  type        = string
  default     = "latency"
  nullable    = false

  validation {
    condition     = contains(["latency", "throughput"], var.source_batches)
    error_message = "source_batches is latency or throughput."
  }
}

variable "subnet_ids" {
  description = "Private subnets, in two zones at least."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids names two subnets at least: the database wants two zones."
  }
}

variable "task_slots" {
  description = "Slots of a worker process or node: the most parallel subtasks it takes."
  type        = number
  default     = 16
  nullable    = false

  validation {
    condition     = var.task_slots >= 1 && floor(var.task_slots) == var.task_slots
    error_message = "task_slots is a whole number of at least 1."
  }
}

variable "vpc_id" {
  description = "VPC of the subnets."
  type        = string
  nullable    = false
}

variable "wait_for_steady_state" {
  description = "Let `terraform apply` end when the tasks run."
  type        = bool
  default     = true
  nullable    = false
}

variable "worker_count" {
  description = "Node tasks; 0 runs the pipelines in the control task."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.worker_count >= 0 && var.worker_count <= 100 && floor(var.worker_count) == var.worker_count
    error_message = "worker_count is a whole number from 0 to 100."
  }
}

variable "worker_cpu" {
  description = "CPU units of a node task, 1024 to a core."
  type        = number
  default     = 2048
  nullable    = false

  validation {
    condition     = contains([512, 1024, 2048, 4096, 8192, 16384], var.worker_cpu)
    error_message = "worker_cpu is 512, 1024, 2048, 4096, 8192 or 16384."
  }
}

variable "worker_memory_mb" {
  description = "Memory of a node task in MiB: it holds the state of the windows it computes."
  type        = number
  default     = 8192
  nullable    = false

  validation {
    condition = contains({
      "512"   = range(1024, 4097, 1024)
      "1024"  = range(2048, 8193, 1024)
      "2048"  = range(4096, 16385, 1024)
      "4096"  = range(8192, 30721, 1024)
      "8192"  = range(16384, 61441, 4096)
      "16384" = range(32768, 122881, 8192)
    }[tostring(var.worker_cpu)], var.worker_memory_mb)
    error_message = "Fargate does not pair worker_cpu = ${var.worker_cpu} with worker_memory_mb = ${var.worker_memory_mb}: from twice to eight times the CPU, in steps of 1024, 4096 from 8 cores on, 8192 with 16."
  }
}
