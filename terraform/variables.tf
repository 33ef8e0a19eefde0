# Limits that AWS sets are checked in the modules; limits that Weir sets are checked here.

variable "alarm_checkpoint_age_seconds" {
  description = "Time without a checkpoint that is an alarm, a multiple of 60."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.alarm_checkpoint_age_seconds >= var.arroyo_checkpoint_interval_seconds * 3
    error_message = "alarm_checkpoint_age_seconds is at least three times arroyo_checkpoint_interval_seconds."
  }
}

variable "alarm_iterator_age_seconds" {
  description = "Lag of the engine or the alerter that is an alarm, when it lasts for five minutes."
  type        = number
  default     = 60
  nullable    = false
}

variable "alarm_probe_missing_minutes" {
  description = "Minutes without a probe through the whole path that are an alarm."
  type        = number
  default     = 10
  nullable    = false
}

variable "alarm_probe_slow_seconds" {
  description = "Time of a probe through the whole path that is an alarm, when it lasts for five minutes."
  type        = number
  default     = 120
  nullable    = false
}

variable "alarm_subscriptions" {
  description = "Who is told when Weir itself is unwell."
  type = list(object({
    endpoint = string
    protocol = string
  }))
  default  = []
  nullable = false
}

variable "alerter_batch_size" {
  description = "Most records in one call of the alerter."
  type        = number
  default     = 500
  nullable    = false
}

variable "alerter_batching_window_seconds" {
  description = "Longest wait for a fuller batch: it adds to the latency of an alert, and saves calls."
  type        = number
  default     = 1
  nullable    = false
}

variable "alerter_bisect_on_error" {
  description = "Halve a batch that failed as a whole."
  type        = bool
  default     = true
  nullable    = false
}

variable "alerter_maximum_record_age_seconds" {
  description = "Age at which the alerter gives an anomaly up and names it in the dead-letter queue; below the stream's retention, so that it can still be read again."
  type        = number
  default     = 21600
  nullable    = false

  validation {
    condition     = var.alerter_maximum_record_age_seconds < var.anomalies_retention_hours * 3600
    error_message = "alerter_maximum_record_age_seconds must be below anomalies_retention_hours, or a failed batch is gone before anyone can read it again."
  }
}

variable "alerter_maximum_retry_attempts" {
  description = "Retries of a failing batch; -1: no limit but its age. Age is the limit that matters: an outage of the store must not use the retries up."
  type        = number
  default     = 1000
  nullable    = false
}

variable "alerter_memory_mb" {
  description = "Memory of the alerter in MiB; CPU grows with it."
  type        = number
  default     = 256
  nullable    = false
}

variable "alerter_parallelization_factor" {
  description = "Batches of one shard that run at a time."
  type        = number
  default     = 1
  nullable    = false
}

variable "alerter_reserved_concurrency" {
  description = "Concurrency kept for the alerter; -1 reserves none. At least shards times the parallelization factor."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.alerter_reserved_concurrency == -1 || var.alerter_reserved_concurrency > var.anomalies_shard_count * var.alerter_parallelization_factor
    error_message = "alerter_reserved_concurrency must be above anomalies_shard_count * alerter_parallelization_factor (one more for the sweep), or -1."
  }
}

variable "alerter_timeout_seconds" {
  description = "Longest run of one call of the alerter."
  type        = number
  default     = 60
  nullable    = false
}

variable "alerter_zip" {
  description = "Package of the alerter, relative to the repository; what it was built for stands beside it (`make package`)."
  type        = string
  default     = "dist/alerter.zip"
  nullable    = false
}

variable "anomalies_retention_hours" {
  description = "Hours that anomalies stay on their stream: how long a failed batch can be read again."
  type        = number
  default     = 24
  nullable    = false
}

variable "anomalies_shard_count" {
  description = "Shards of the anomalies stream."
  type        = number
  default     = 1
  nullable    = false
}

variable "arroyo_allowed_restarts" {
  description = "Restarts of a failing pipeline, without two healthy minutes between, before Arroyo gives it up."
  type        = number
  default     = 20
  nullable    = false
}

variable "arroyo_checkpoint_expiration_days" {
  description = "Age at which checkpoint files are deleted: above the longest window, and above the longest time that a pipeline is kept stopped."
  type        = number
  default     = 90
  nullable    = false
}

variable "arroyo_checkpoint_interval_seconds" {
  description = "Time between checkpoints: the most that is computed again after a failure."
  type        = number
  default     = 10
  nullable    = false
}

variable "arroyo_container_insights" {
  description = "Metrics of each of Arroyo's tasks, at a price."
  type        = bool
  default     = false
  nullable    = false
}

variable "arroyo_control_cpu" {
  description = "CPU units of Arroyo's control task, 1024 to a core. Without workers it runs the pipelines."
  type        = number
  default     = 1024
  nullable    = false
}

variable "arroyo_control_memory_mb" {
  description = "Memory of Arroyo's control task in MiB. Without workers it holds the state of all windows."
  type        = number
  default     = 4096
  nullable    = false
}

variable "arroyo_database" {
  description = "PostgreSQL for Arroyo's catalogue: RDS (postgres), or Aurora Serverless v2 (aurora-postgresql). Its restarts are Arroyo's: name the windows (UTC, hh:mm-hh:mm and ddd:hh:mm-ddd:hh:mm). final_snapshot: keep one when the stack ends."
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
}

variable "arroyo_enabled" {
  description = "Stand up an Arroyo cluster, where `engine` is arroyo. Without it, rules run where somebody starts the embedded engine."
  type        = bool
  default     = false
  nullable    = false
}

variable "arroyo_image" {
  description = "Arroyo's image with its tag; null: the official one, with a compiler when arroyo_udfs_enabled. With network_egress = endpoints it must come from ECR."
  type        = string
  default     = null
}

variable "arroyo_image_digest" {
  description = "Digest that the image must have (sha256:…); null trusts the tag."
  type        = string
  default     = null
}

variable "arroyo_load_balancer" {
  description = "An internal load balancer with TLS before Arroyo's API and UI, for named address ranges; null: none, `make ui` opens a tunnel."
  type = object({
    allowed_cidrs   = list(string)
    certificate_arn = string
  })
  default = null
}

variable "arroyo_secrets_version" {
  description = "A higher number makes a new API key and a new database password, and replaces the control task."
  type        = number
  default     = 1
  nullable    = false
}

variable "arroyo_source_batches" {
  description = "What Arroyo's source favours. `latency` hands on each record within milliseconds, at the cost of a batch of one row each. `throughput` hands on batches of 32 records: many times less CPU, and a record of a quiet stream waits for the next checkpoint. Take `throughput` above some hundred events a second."
  type        = string
  default     = "latency"
  nullable    = false

  validation {
    condition     = contains(["latency", "throughput"], var.arroyo_source_batches)
    error_message = "arroyo_source_batches is latency or throughput."
  }
}

variable "arroyo_task_slots" {
  description = "Slots of a worker process or node: the most parallel subtasks it takes."
  type        = number
  default     = 16
  nullable    = false
}

variable "arroyo_udfs_enabled" {
  description = "Take the image with a Rust compiler (arroyo-full), for rules that call functions of sql/udfs: a person who may deploy those runs code on the cluster. Compiling reaches crates.io."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.arroyo_udfs_enabled || var.existing_network != null || var.network_egress == "nat"
    error_message = "arroyo_udfs_enabled needs a way to crates.io: network_egress = \"nat\", or an existing_network."
  }
}

variable "arroyo_worker_count" {
  description = "Node tasks of Arroyo; 0 runs the pipelines in the control task."
  type        = number
  default     = 0
  nullable    = false
}

variable "arroyo_worker_cpu" {
  description = "CPU units of a node task, 1024 to a core."
  type        = number
  default     = 2048
  nullable    = false
}

variable "arroyo_worker_memory_mb" {
  description = "Memory of a node task in MiB: it holds the state of the windows it computes."
  type        = number
  default     = 8192
  nullable    = false
}

variable "availability_zones" {
  description = "Letters of the zones of the network made for Arroyo; the database needs two. Null takes the account's first two: some regions keep some zones from newer accounts. Name them once the network stands, so that a zone that AWS adds moves nothing."
  type        = list(string)
  default     = null
}

variable "budget" {
  description = "Monthly budget with an alarm; null: none. cost_tag_activated: the tag `stack` is activated for cost allocation, count this stack only."
  type = object({
    cost_tag_activated = optional(bool, false)
    monthly_usd        = number
  })
  default = null
}

variable "dedup_default_seconds" {
  description = "Dedup period of rules that name none: one alert a rule and key in each."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.dedup_default_seconds >= 1 && var.dedup_default_seconds <= 604800 && floor(var.dedup_default_seconds) == var.dedup_default_seconds
    error_message = "dedup_default_seconds is a whole number from 1 to 604800 (a week)."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete what holds data."
  type        = bool
  default     = false
  nullable    = false
}

variable "embedded_pipeline" {
  description = "Name under which the embedded engine writes its metrics to a log group of this account and region (`weir run --emf NAME`). Null: with `engine = \"embedded\"` name_prefix; else it writes none, and no alarm watches it."
  type        = string
  default     = null

  validation {
    condition     = var.embedded_pipeline == null || try(length(var.embedded_pipeline) >= 1 && length(var.embedded_pipeline) <= 1024, false)
    error_message = "embedded_pipeline is null, or a text of 1 to 1024 characters, as CloudWatch has dimensions."
  }
}

variable "endpoint_url" {
  description = "Endpoint of a local emulator, which then gets every call; null means AWS."
  type        = string
  default     = null

  validation {
    condition     = var.endpoint_url == null || can(regex("^https?://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?/?$", var.endpoint_url))
    error_message = "endpoint_url is on this machine (http://127.0.0.1:4566), or null: with it set, Terraform sends test credentials and skips TLS."
  }
}

variable "events_retention_hours" {
  description = "Hours that events stay on their stream: the longest outage of the engine that loses nothing."
  type        = number
  default     = 24
  nullable    = false
}

variable "events_shard_count" {
  description = "Shards of the events stream: each takes 1 MB/s or 1,000 events/s."
  type        = number
  default     = 1
  nullable    = false
}

variable "engine" {
  description = "What runs the rules. arroyo: Arroyo's cluster, with arroyo_enabled. embedded: one Fargate task of Weir's own engine, without database, NAT gateway or API key; the settings of Arroyo's then change nothing. Going from one to the other keeps streams, table and alerts."
  type        = string
  default     = "arroyo"
  nullable    = false

  validation {
    condition     = contains(["arroyo", "embedded"], var.engine)
    error_message = "engine is arroyo or embedded."
  }
}

variable "engine_checkpoint_interval_seconds" {
  description = "Time between the embedded engine's checkpoints: what a restart reads again, at most."
  type        = number
  default     = 10
  nullable    = false
}

variable "engine_cpu" {
  description = "CPU units of the embedded engine's task, 1024 to a core. docs/cost.md says what a core reads."
  type        = number
  default     = 256
  nullable    = false
}

variable "engine_image" {
  description = "Image of the embedded engine with its tag or digest, built from Containerfile for lambda_architecture: REGISTRY/NAME:TAG. Needed with engine = \"embedded\" on AWS."
  type        = string
  default     = null

  validation {
    condition     = var.engine != "embedded" || var.engine_image != null || var.endpoint_url != null
    error_message = "engine = \"embedded\" needs engine_image: build it from Containerfile and push it where the task can pull it (docs/deploy.md)."
  }
}

variable "engine_memory_mb" {
  description = "Memory of the embedded engine's task in MiB. A program's state may take a quarter of what is left after 256: two run side by side at a takeover, each with a checkpoint being written."
  type        = number
  default     = 1024
  nullable    = false
}

variable "engine_state_expiration_days" {
  description = "Days that the state of an earlier program is kept, for a rollback to go on from."
  type        = number
  default     = 90
  nullable    = false
}

variable "existing_network" {
  description = "A VPC that exists, with private subnets in two zones that reach AWS; null makes one. For the embedded engine one subnet is enough, and it must reach the registry of its image."
  type = object({
    private_subnet_ids = list(string)
    vpc_id             = string
  })
  default = null
}

variable "flow_logs_enabled" {
  description = "Log who talks to whom in the network made for Arroyo."
  type        = bool
  default     = true
  nullable    = false
}

variable "gate_zip" {
  description = "Package of the gate, relative to the repository; what it was built for stands beside it (`make package`). Not needed where no stream has a gate."
  type        = string
  default     = "dist/gate.zip"
  nullable    = false
}

variable "heartbeat_memory_mb" {
  description = "Memory of the heartbeat in MiB."
  type        = number
  default     = 128
  nullable    = false
}

variable "heartbeat_reserved_concurrency" {
  description = "Concurrency kept for the heartbeat; -1 reserves none."
  type        = number
  default     = -1
  nullable    = false
}

variable "heartbeat_time" {
  description = "wall: heartbeats carry the present; none: they carry no time, for replays of old data."
  type        = string
  default     = "wall"
  nullable    = false

  validation {
    condition     = contains(["none", "wall"], var.heartbeat_time)
    error_message = "heartbeat_time is wall or none."
  }
}

variable "heartbeat_timeout_seconds" {
  description = "Longest run of one heartbeat; below the minute between two."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.heartbeat_timeout_seconds < 60
    error_message = "heartbeat_timeout_seconds is below 60: heartbeats must not overlap."
  }
}

variable "heartbeat_zip" {
  description = "Package of the heartbeat, relative to the repository; what it was built for stands beside it (`make package`)."
  type        = string
  default     = "dist/heartbeat.zip"
  nullable    = false
}

variable "inbox" {
  description = "Add a queue that receives every alert: for the demo, for tests, for people who look by hand."
  type        = bool
  default     = false
  nullable    = false
}

variable "keep_failed_records" {
  description = "Keep the records of batches the alerter gave up on, in S3, for 90 days; else the dead-letter queue names them, and the stream's retention is the limit."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key that encrypts everything; null uses AWS-managed keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (not of an alias)."
  }
}

variable "kms_key_create" {
  description = "Make one customer-managed KMS key for everything."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.kms_key_create || var.kms_key_arn == null
    error_message = "Either kms_key_create, or a key of your own in kms_key_arn."
  }
}

variable "lambda_architecture" {
  description = "Instruction set of the functions and of Arroyo's tasks, arm64 or x86_64. `make deploy` builds the packages for it."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "log_level" {
  description = "Log level of the functions."
  type        = string
  default     = "info"
  nullable    = false

  validation {
    condition     = contains(["debug", "info"], var.log_level)
    error_message = "log_level is info or debug."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "name_prefix" {
  description = "First part of every name. Two stacks in one account need two, also in two regions: IAM's names know no region."
  type        = string
  default     = "weir"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,23}$", var.name_prefix)) && !endswith(var.name_prefix, "-")
    error_message = "name_prefix is 1 to 24 lower-case letters, digits and hyphens; it starts with a letter and does not end with a hyphen."
  }
}

variable "network_cidr" {
  description = "Address range of the network made for the engine."
  type        = string
  default     = "10.80.0.0/16"
  nullable    = false
}

variable "network_egress" {
  description = "endpoints: AWS only, no way to the internet, the image from ECR. nat: the internet through one NAT gateway."
  type        = string
  default     = "nat"
  nullable    = false
}

variable "observability_enabled" {
  description = "Dashboard and alarms."
  type        = bool
  default     = true
  nullable    = false
}

variable "page_url" {
  description = "What an anomaly's id is put behind to make the link in its alert, such as http://127.0.0.1:8200/#view=history&anomaly= for `weir studio --port 8200`; without it, alerts have no link."
  type        = string
  default     = null

  validation {
    condition     = var.page_url == null || can(regex("^https?://[!-~]{1,500}$", var.page_url))
    error_message = "page_url begins with https:// or http:// and has no blanks."
  }
}

variable "point_in_time_recovery" {
  description = "Keep continuous backups of the table for 35 days."
  type        = bool
  default     = true
  nullable    = false
}

variable "region" {
  description = "AWS region. No default: data must not land in a region that nobody chose."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is the name of an AWS region, as in eu-central-1."
  }

  # The services' names differ there, and Arroyo 0.15 builds s3.<region>.amazonaws.com by itself.
  validation {
    condition     = !can(regex("^(cn|eusc|us-iso[a-z]*)-", var.region))
    error_message = "region is one of AWS's commercial regions or of GovCloud; China, the European Sovereign Cloud and the isolated regions are not supported."
  }
}

variable "retention_days" {
  description = "Days that an anomaly stays in the table."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 3650 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days is a whole number from 1 to 3650."
  }
}

variable "role_path" {
  description = "IAM path of every role that is made, for accounts whose policies name one."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([!-.0-~]+/)*$", var.role_path)) && length(var.role_path) <= 512
    error_message = "role_path begins and ends with a slash, as in /weir/."
  }
}

variable "role_permissions_boundary" {
  description = "ARN of the policy that bounds every role that is made; null: none. Some accounts let nobody make a role without."
  type        = string
  default     = null

  validation {
    condition     = var.role_permissions_boundary == null || can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/.+$", var.role_permissions_boundary))
    error_message = "role_permissions_boundary is the ARN of an IAM policy."
  }
}

variable "runbook_url" {
  description = "Where docs/runbooks.md can be opened (https://github.com/acme/weir/blob/main/docs/runbooks.md), for the links in alarms; null: the path in the repository."
  type        = string
  default     = null
}

variable "schedules_enabled" {
  description = "Run the sweep and the heartbeat each minute."
  type        = bool
  default     = true
  nullable    = false
}

variable "service_linked_roles_create" {
  description = "Make the account's service-linked roles of ECS, RDS and Elastic Load Balancing, which a new account lacks. They are the account's: only for an account that is this stack's alone; docs/deploy.md has the commands that make them once."
  type        = bool
  default     = false
  nullable    = false
}

variable "severity_floor" {
  description = "Lowest severity that alerts; what is below is stored only."
  type        = string
  default     = "info"
  nullable    = false

  validation {
    condition     = contains(["critical", "info", "warning"], var.severity_floor)
    error_message = "severity_floor is info, warning or critical."
  }
}

variable "storm_cap" {
  description = "Alerts of one rule in one minute before a summary takes their place."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.storm_cap >= 1 && var.storm_cap <= 1000 && floor(var.storm_cap) == var.storm_cap
    error_message = "storm_cap is a whole number from 1 to 1000."
  }
}

variable "stream_mode" {
  description = "Capacity mode of the streams, PROVISIONED or ON_DEMAND. Arroyo's source fails when shards come and go by themselves."
  type        = string
  default     = "PROVISIONED"
  nullable    = false
}

variable "stream_options" {
  description = "What streams cost and need in this environment, by their names in sql/streams. kms_key_arn: the customer-managed key of a stream that exists. shards, on_demand: of a stream that Weir makes. retention_hours: of such a stream, and of what a gate writes. Of a gate: gate_memory_mb; gate_shards, of the stream that it writes; gate_starting_position, TRIM_HORIZON or LATEST; gate_maximum_record_age_seconds, the age at which it gives a record up (-1: never, the default of a stream that exists; of one that Weir makes, an hour before the stream forgets it)."
  type = map(object({
    gate_maximum_record_age_seconds = optional(number)
    gate_memory_mb                  = optional(number)
    # Refused: see below.
    gate_parallelization_factor = optional(number)
    gate_shards                 = optional(number)
    gate_starting_position      = optional(string)
    kms_key_arn                 = optional(string)
    on_demand                   = optional(bool)
    retention_hours             = optional(number)
    shards                      = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.stream_options), keys(var.streams))) == 0
    error_message = "stream_options names streams that sql/streams does not have: ${join(", ", setsubtract(keys(var.stream_options), keys(var.streams)))}."
  }

  # The gate spreads keys over 256 places of the hash range: a shard without one of them would stay empty.
  validation {
    condition     = alltrue([for o in values(var.stream_options) : contains(range(1, 257), coalesce(o.gate_shards, 1))])
    error_message = "gate_shards is a whole number from 1 to 256."
  }

  # Lambda keeps order by partition key, and the batches of one shard run at the same time. The gate orders by the key that the
  # stream's file declares, which is another one: rows of one key would overtake each other, and those of a batch that waits would
  # be late for windows that the others closed.
  # https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
  validation {
    condition     = alltrue([for o in values(var.stream_options) : coalesce(o.gate_parallelization_factor, 1) == 1])
    error_message = "gate_parallelization_factor above 1 is refused: rows of one key would overtake each other. Shards of the stream are what a gate runs beside each other; gate_memory_mb makes each of them faster."
  }

  # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
  validation {
    condition     = alltrue([for o in values(var.stream_options) : o.gate_maximum_record_age_seconds == null || try(o.gate_maximum_record_age_seconds == -1 || (o.gate_maximum_record_age_seconds >= 60 && o.gate_maximum_record_age_seconds <= 604800 && floor(o.gate_maximum_record_age_seconds) == o.gate_maximum_record_age_seconds), false)])
    error_message = "gate_maximum_record_age_seconds is -1 (never), or a whole number from 60 to 604800 (a week)."
  }

  validation {
    condition     = alltrue([for name, o in var.stream_options : !try(var.streams[name].create, false) || coalesce(o.gate_maximum_record_age_seconds, -1) < coalesce(o.retention_hours, 24) * 3600])
    error_message = "gate_maximum_record_age_seconds must be below retention_hours of a stream that Weir makes, or what its gate gave up is gone before anyone can read it again."
  }

  validation {
    condition     = alltrue([for o in values(var.stream_options) : o.gate_memory_mb == null || try(o.gate_memory_mb >= 128 && o.gate_memory_mb <= 10240 && floor(o.gate_memory_mb) == o.gate_memory_mb, false)])
    error_message = "gate_memory_mb is a whole number from 128 to 10240."
  }

  validation {
    condition     = alltrue([for o in values(var.stream_options) : contains(["LATEST", "TRIM_HORIZON"], coalesce(o.gate_starting_position, "LATEST"))])
    error_message = "gate_starting_position is TRIM_HORIZON (everything that the stream still has) or LATEST."
  }

  validation {
    condition     = alltrue([for o in values(var.stream_options) : o.retention_hours == null || try(o.retention_hours >= 24 && o.retention_hours <= 8760 && floor(o.retention_hours) == o.retention_hours, false)])
    error_message = "retention_hours is a whole number from 24 to 8760."
  }

  validation {
    condition     = alltrue([for o in values(var.stream_options) : contains(range(1, 501), coalesce(o.shards, 1))])
    error_message = "shards is a whole number from 1 to 500."
  }

  # What would change nothing is refused: somebody believes that it does.
  validation {
    condition     = alltrue([for name, o in var.stream_options : try(!var.streams[name].create, false) || o.kms_key_arn == null])
    error_message = "kms_key_arn is of streams that exist: those that Weir makes have the stack's key (kms_key_arn, kms_key_create)."
  }

  validation {
    condition     = alltrue([for name, o in var.stream_options : try(var.streams[name].create, true) || (o.shards == null && o.on_demand == null)])
    error_message = "shards and on_demand are of streams that Weir makes: one that exists is never changed."
  }

  validation {
    condition     = alltrue([for o in values(var.stream_options) : !coalesce(o.on_demand, false) || o.shards == null])
    error_message = "An on_demand stream has no number of shards."
  }

  validation {
    condition     = alltrue([for name, o in var.stream_options : try(var.streams[name].create || var.streams[name].gate != null, true) || o.retention_hours == null])
    error_message = "retention_hours is of streams that Weir makes, and of what a gate writes: one that exists is never changed."
  }

  validation {
    condition     = alltrue([for name, o in var.stream_options : try(var.streams[name].gate != null, true) || (o.gate_maximum_record_age_seconds == null && o.gate_memory_mb == null && o.gate_shards == null && o.gate_starting_position == null)])
    error_message = "gate_* are of a stream that passes a gate: its file needs one, or it is named by its ARN."
  }

  validation {
    condition     = alltrue([for o in values(var.stream_options) : o.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", o.kms_key_arn))])
    error_message = "kms_key_arn is the ARN of a key, not of an alias: policies name keys."
  }

  validation {
    condition     = !var.arroyo_enabled || var.engine == "embedded" || alltrue([for name, o in var.stream_options : !coalesce(o.on_demand, false) || try(var.streams[name].gate, null) != null])
    error_message = "Arroyo does not follow a stream whose shards come and go: on_demand needs a gate, or the embedded engine."
  }
}

variable "streams" {
  description = "The streams of sql/streams, by name; `weir deploy` writes them from there. arn: a stream that exists, by ARN or by its name in this account and region; it is read, and never made, changed or ended. create: one that Weir makes. heartbeat: Weir may put control records on a stream that exists. gate: what Arroyo cannot read itself passes a gate; declaration is the stream's file, always: also without Arroyo."
  type = map(object({
    arn    = optional(string)
    create = optional(bool, false)
    gate = optional(object({
      always      = optional(bool, false)
      declaration = string
    }))
    heartbeat = optional(bool, false)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.streams) : can(regex("^[a-z][a-z0-9_]{0,62}$", name)) && !contains(["anomalies", "events"], name)])
    error_message = "A stream's name has lower case letters, digits and _, a letter first; `events` and `anomalies` are Weir's own."
  }

  validation {
    condition     = alltrue([for s in values(var.streams) : (s.arn != null) != s.create])
    error_message = "A stream has either an arn, and exists, or create = true, and Weir makes it."
  }

  validation {
    condition     = alltrue([for s in values(var.streams) : s.arn == null || can(regex("^(arn:[^:]+:kinesis:[a-z0-9-]+:[0-9]{12}:stream/)?[a-zA-Z0-9_.-]{1,128}$", s.arn))])
    error_message = "arn is arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, or the name alone."
  }

  # A stream that Weir makes would be read as somebody's, under another name: its gate would read what it writes.
  validation {
    condition = alltrue([
      for s in values(var.streams) : s.arn == null || !contains(
        concat(
          [for part in ["anomalies", "events"] : "${var.name_prefix}-${part}"],
          flatten([for name, own in var.streams : concat(own.create ? ["${var.name_prefix}-${name}"] : [], own.gate == null ? [] : ["${var.name_prefix}-${name}-plain"])]),
        ),
        # Another account or region may have one of the same name.
        try(regex("^arn:[^:]+:kinesis:${var.region}:${data.aws_caller_identity.current.account_id}:stream/(.+)$", s.arn)[0], s.arn == null ? "" : s.arn),
      )
    ])
    error_message = "arn names a stream that Weir makes. A declared stream of one's own has create = true; `events` and `anomalies` need no declaration."
  }

  # https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html: mappings read streams of their own region; Arroyo and the
  # heartbeat know streams by their name.
  validation {
    condition     = alltrue([for s in values(var.streams) : try(regex("^arn:[^:]+:kinesis:([^:]+):", s.arn)[0], var.region) == var.region || ((!var.arroyo_enabled || var.engine == "embedded") && !s.heartbeat && !try(s.gate.always, false))])
    error_message = "A stream that passes a gate, gets heartbeats or is read by Arroyo is in `region`."
  }

  # The function is NAME_PREFIX-gate-NAME, and a function's name has 55 characters at most.
  validation {
    condition     = alltrue([for name, s in var.streams : s.gate == null || ((!var.arroyo_enabled || var.engine == "embedded") && !try(s.gate.always, false)) || length("${var.name_prefix}-gate-${name}") <= 55])
    error_message = "name_prefix and the name of a stream with a gate have 49 characters together at most."
  }
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
}

variable "tags" {
  description = "Further tags for every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tracing_enabled" {
  description = "Send traces to X-Ray."
  type        = bool
  default     = true
  nullable    = false
}
