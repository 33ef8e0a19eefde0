variable "architecture" {
  description = "Instruction set that the function runs on and the zip is built for."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is arm64 or x86_64."
  }
}

variable "check_input" {
  description = "JSON the function is called with after each change of code, environment or permissions; an error fails the deploy. Null: no check."
  type        = string
  default     = null
}

variable "description" {
  description = "What the function does, in one sentence."
  type        = string
  default     = ""
  nullable    = false
}

variable "environment" {
  description = "Environment variables. No secrets: name a secret instead."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for environment, logs and schedules; null uses AWS-managed keys."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that logs are kept; one of the values CloudWatch Logs allows."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "memory_mb" {
  description = "Memory in MiB; CPU grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb is a whole number from 128 to 10240."
  }
}

variable "name" {
  description = "Name of the function; its role, log group and schedules are named after it."
  type        = string
  nullable    = false

  validation {
    # The role "<name>-schedule" must fit into 64 characters.
    condition     = can(regex("^[a-zA-Z0-9-]{1,55}$", var.name))
    error_message = "name is 1 to 55 letters, digits and hyphens."
  }
}

variable "package_check" {
  description = "Insist that the zip is known to be for the architecture. Off only for the local emulator, which runs what this machine runs."
  type        = bool
  default     = true
  nullable    = false
}

variable "policy_statements" {
  description = "What the function may do, by statement id: exact actions on exact ARNs."
  type = map(object({
    actions   = set(string)
    resources = set(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for s in values(var.policy_statements) : [for a in s.actions : !strcontains(a, "*")]]))
    error_message = "policy_statements must name exact actions, without *."
  }

  validation {
    condition     = alltrue(flatten([for s in values(var.policy_statements) : [for r in s.resources : r != "*"]]))
    error_message = "policy_statements must name resources: * is refused."
  }
}

variable "reserved_concurrency" {
  description = "Concurrency kept for (and the most of) this function; -1 reserves none."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= 1
    error_message = "reserved_concurrency is -1 (none) or at least 1."
  }
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

variable "schedules" {
  description = "Calls by time, by name: a rate() or cron() expression in UTC and the JSON input."
  type = map(object({
    expression = string
    input      = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for s in values(var.schedules) : can(regex("^(rate|cron)\\(.+\\)$", s.expression)) && can(jsondecode(s.input))])
    error_message = "A schedule has an expression, rate(…) or cron(…), and an input that is JSON."
  }
}

variable "schedules_enabled" {
  description = "Run the schedules; false keeps them, switched off."
  type        = bool
  default     = true
  nullable    = false
}

variable "timeout_seconds" {
  description = "Longest run of one call."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "timeout_seconds is from 1 to 900."
  }
}

variable "tracing_enabled" {
  description = "Send traces to X-Ray."
  type        = bool
  default     = true
  nullable    = false
}

variable "vpc" {
  description = "Run inside a VPC; null: outside, with AWS alone in reach."
  type = object({
    security_group_ids = list(string)
    subnet_ids         = list(string)
  })
  default = null
}

variable "zip_path" {
  description = "The package: a zip with an executable `bootstrap`."
  type        = string
  nullable    = false
}
