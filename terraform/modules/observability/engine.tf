# Alarms of the embedded engine's service (modules/engine), on what it writes into its log each minute while it runs a program, and on what ECS
# says of its task. Before the first deploy of rules it writes nothing, and all of them are silent.

locals {
  engine_alarms = { for key, alarm in {
    engine-stopped = {
      runbook    = "Engine is stopped"
      what       = "The embedded engine has said nothing for five minutes: no rules run."
      namespace  = "Weir", metric = "running", statistic = "Minimum"
      dimensions = { pipeline = var.embedded_pipeline }
      # Longer than a stop and a start, which are a minute or two.
      threshold = 1, above = false, missing = "missing", period = 60, periods = 5
    }
    engine-fails = {
      runbook    = "Engine is stopped"
      what       = "The embedded engine's program ended with an error; ECS starts it again."
      namespace  = "Weir", metric = "failed", statistic = "Sum"
      dimensions = { pipeline = var.embedded_pipeline }
      # One may be an outage of a service; a second within minutes is one of the program.
      threshold = 1, above = true, missing = "notBreaching", period = 300, periods = 1
    }
    engine-fenced = {
      runbook    = "Engine is fenced"
      what       = "Two tasks of the embedded engine wrote one state, and one of them ended."
      namespace  = "Weir", metric = "fenced", statistic = "Sum"
      dimensions = { pipeline = var.embedded_pipeline }
      threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 1
    }
    engine-checkpoint-age = {
      runbook    = "Engine writes no checkpoint"
      what       = "The embedded engine wrote no checkpoint for ${var.checkpoint_age_seconds} s: a restart would read all of that time again."
      namespace  = "Weir", metric = "checkpoint_age_seconds", statistic = "Maximum"
      dimensions = { pipeline = var.embedded_pipeline }
      threshold  = var.checkpoint_age_seconds, above = true, missing = "notBreaching", period = 60, periods = 2
    }
    engine-lag = {
      runbook    = "Engine falls behind"
      what       = "The embedded engine is more than ${var.iterator_age_seconds} s behind the tip of a stream."
      namespace  = "Weir", metric = "lag_seconds", statistic = "Maximum"
      dimensions = { pipeline = var.embedded_pipeline }
      threshold  = var.iterator_age_seconds, above = true, missing = "notBreaching", period = 60, periods = 5
    }
    engine-memory = {
      runbook    = "Engine runs out of memory"
      what       = "The embedded engine's task uses more than 85 % of its memory: state lives there."
      namespace  = "AWS/ECS", metric = "MemoryUtilization", statistic = "Maximum"
      dimensions = try({ ClusterName = var.engine.cluster_name, ServiceName = var.engine.service_name }, {})
      # No task, no metric: that is the alarm engine-stopped.
      threshold = 85, above = true, missing = "notBreaching", period = 60, periods = 5
    }
  } : key => alarm if var.engine != null }
}
