locals {
  # The path from left to right, top to bottom: in, engine, out, stored, told, waiting for a person.
  panels = concat(
    [
      {
        title = "Events in", stat = "Sum"
        metrics = [
          ["AWS/Kinesis", "IncomingRecords", "StreamName", var.events_stream_name],
          ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", "StreamName", var.events_stream_name],
        ]
      },
      {
        title = "Engine behind (ms)", stat = "Maximum"
        metrics = [
          ["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", var.events_stream_name],
        ]
      },
      {
        # Five reads a second and shard are for all readers together, and Arroyo asks without a pause.
        title = "Reads refused", stat = "Sum"
        metrics = [
          for stream in [var.events_stream_name, var.anomalies_stream_name] : ["AWS/Kinesis", "ReadProvisionedThroughputExceeded", "StreamName", stream]
        ]
      },
      {
        title = "Anomalies out", stat = "Sum"
        metrics = [
          ["AWS/Kinesis", "IncomingRecords", "StreamName", var.anomalies_stream_name],
          ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", "StreamName", var.anomalies_stream_name],
        ]
      },
      {
        title   = "Anomalies at the alerter", stat = "Sum"
        metrics = [for name in ["received", "new", "duplicate", "quarantined", "failed"] : ["Weir", name, "function", var.alerter_function_name]]
      },
      {
        title   = "Alerts", stat = "Sum"
        metrics = [for name in ["alerted", "suppressed", "silenced", "held", "publish_failed"] : ["Weir", name, "function", var.alerter_function_name]]
      },
      {
        title   = "Latency (ms, p99)", stat = "p99"
        metrics = [for name in ["event_to_stored_ms", "event_to_alert_ms", "probe_ms"] : ["Weir", name, "function", var.alerter_function_name]]
      },
      {
        title = "Alerter", stat = "Sum"
        metrics = [
          for name in ["Invocations", "Errors", "Throttles"] : ["AWS/Lambda", name, "FunctionName", var.alerter_function_name]
        ]
      },
      {
        title = "Alerter behind and run time (ms)", stat = "Maximum"
        metrics = [
          for name in ["IteratorAge", "Duration"] : ["AWS/Lambda", name, "FunctionName", var.alerter_function_name]
        ]
      },
      {
        title = "Heartbeat", stat = "Sum"
        metrics = [
          for name in ["Invocations", "Errors"] : ["AWS/Lambda", name, "FunctionName", var.heartbeat_function_name]
        ]
      },
      {
        title = "Waiting for a person", stat = "Maximum"
        metrics = [
          for name in compact([var.quarantine_queue_name, var.alerter_dlq_name, var.undelivered_queue_name]) :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name]
        ]
      },
      {
        title = "Store", stat = "Sum"
        metrics = [
          ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", var.table_name],
          ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", var.table_name],
          ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", var.table_name, "GlobalSecondaryIndexName", "by_rule"],
          ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", var.table_name, "GlobalSecondaryIndexName", "by_key"],
        ]
      },
    ],
    [for panel in [
      {
        title = "Pipelines", stat = "Maximum"
        metrics = [
          for name in ["pipelines_running", "pipelines_failed", "pipelines_restarted"] : ["Weir", name, "function", var.heartbeat_function_name]
        ]
      },
      {
        title   = "Age of the last checkpoint (ms)", stat = "Maximum"
        metrics = [["Weir", "checkpoint_age_ms", "function", var.heartbeat_function_name]]
      },
      {
        title = "Arroyo (%)", stat = "Maximum"
        metrics = try([
          for name in ["CPUUtilization", "MemoryUtilization"] :
          ["AWS/ECS", name, "ClusterName", var.arroyo.cluster_name, "ServiceName", var.arroyo.control_service_name]
        ], [])
      },
    ] : panel if var.arroyo != null],
    !anytrue([for stream in values(var.streams) : stream.near || stream.gate != null]) ? [] : [{
      title = "Declared streams behind (ms)", stat = "Maximum"
      metrics = concat([
        for name, stream in var.streams :
        ["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", stream.gate == null ? stream.stream_name : stream.gate.plain_stream_name] if stream.near || stream.gate != null
        ], [
        for name, stream in var.streams : ["AWS/Lambda", "IteratorAge", "FunctionName", stream.gate.function_name] if stream.gate != null
      ])
    }],
    [for panel in [{
      title = "Gates", stat = "Sum"
      metrics = flatten([
        for name, stream in var.streams : [
          for metric in ["records", "rows", "quarantined", "failed"] : [["Weir", metric, "function", stream.gate.function_name]]
        ] if stream.gate != null
      ])
    }] : panel if anytrue([for stream in values(var.streams) : stream.gate != null])],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name_prefix

  dashboard_body = jsonencode({
    widgets = [
      for index, panel in local.panels : {
        type   = "metric"
        x      = index % 3 * 8
        y      = floor(index / 3) * 6
        width  = 8
        height = 6
        properties = {
          metrics = panel.metrics
          period  = 60
          region  = var.region
          stat    = panel.stat
          title   = panel.title
          view    = "timeSeries"
        }
      }
    ]
  })
}
