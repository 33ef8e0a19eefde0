locals {
  runbooks = coalesce(var.runbook_url, "docs/runbooks.md")

  # One entry an alarm. `runbook` is the heading in docs/runbooks.md; `missing` says what silence means: nothing
  # (`notBreaching`), or that something stopped (`missing`). What stopped is told when it stops, and not while it never began, so
  # that a stack is silent until its first deploy is through: "missing" ends in INSUFFICIENT_DATA, where a new alarm begins.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-missing-data
  alarms = merge(
    {
      alerter-iterator-age = {
        runbook    = "Alerter falls behind"
        what       = "Anomalies wait longer than ${var.iterator_age_seconds} s for the alerter."
        namespace  = "AWS/Lambda", metric = "IteratorAge", statistic = "Maximum"
        dimensions = { FunctionName = var.alerter_function_name }
        threshold  = var.iterator_age_seconds * 1000, above = true, missing = "notBreaching", period = 60, periods = 5
      }
      alerter-errors = {
        runbook    = "Alerter fails"
        what       = "The alerter fails as a whole."
        namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum"
        dimensions = { FunctionName = var.alerter_function_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
      }
      alerter-throttles = {
        runbook    = "Alerter is throttled"
        what       = "Lambda refuses to run the alerter."
        namespace  = "AWS/Lambda", metric = "Throttles", statistic = "Sum"
        dimensions = { FunctionName = var.alerter_function_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
      }
      alerter-dlq = {
        runbook    = "Batches given up"
        what       = "The alerter gave up on a batch: anomalies are not stored."
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
        dimensions = { QueueName = var.alerter_dlq_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 1
      }
      publish-failed = {
        runbook    = "Alerts cannot be published"
        what       = "Alerts are due that could not be published."
        namespace  = "Weir", metric = "publish_failed", statistic = "Sum"
        dimensions = { function = var.alerter_function_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 5
      }
      quarantine = {
        runbook    = "Poison in quarantine"
        what       = "Records that are no event or no anomaly wait in quarantine."
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
        dimensions = { QueueName = var.quarantine_queue_name }
        threshold  = var.quarantine_threshold, above = true, missing = "notBreaching", period = 300, periods = 1
      }
      store-throttled = {
        runbook    = "Store is throttled"
        what       = "DynamoDB refuses writes of the table."
        namespace  = "AWS/DynamoDB", metric = "WriteThrottleEvents", statistic = "Sum"
        dimensions = { TableName = var.table_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
      }
      # The metric by table leaves the indexes out, and a hot rule or key is hot in an index: "you must specify both TableName
      # and GlobalSecondaryIndex", https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
      store-rule-index-throttled = {
        runbook    = "Store is throttled"
        what       = "DynamoDB refuses writes of the index by rule: one rule, or the alerts that are due, has too many."
        namespace  = "AWS/DynamoDB", metric = "WriteThrottleEvents", statistic = "Sum"
        dimensions = { TableName = var.table_name, GlobalSecondaryIndexName = "by_rule" }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
      }
      store-key-index-throttled = {
        runbook    = "Store is throttled"
        what       = "DynamoDB refuses writes of the index by key: one key has too many."
        namespace  = "AWS/DynamoDB", metric = "WriteThrottleEvents", statistic = "Sum"
        dimensions = { TableName = var.table_name, GlobalSecondaryIndexName = "by_key" }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
      }
      events-refused = {
        runbook    = "Events are refused"
        what       = "The events stream refuses writes: it has too few shards, or a hot one."
        namespace  = "AWS/Kinesis", metric = "WriteProvisionedThroughputExceeded", statistic = "Sum"
        dimensions = { StreamName = var.events_stream_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
      }
      anomalies-refused = {
        runbook    = "Anomalies are refused"
        what       = "The anomalies stream refuses writes: a rule floods it."
        namespace  = "AWS/Kinesis", metric = "WriteProvisionedThroughputExceeded", statistic = "Sum"
        dimensions = { StreamName = var.anomalies_stream_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
      }
      engine-behind = {
        runbook    = "Engine falls behind"
        what       = "Events wait longer than ${var.iterator_age_seconds} s for the engine."
        namespace  = "AWS/Kinesis", metric = "GetRecords.IteratorAgeMilliseconds", statistic = "Maximum"
        dimensions = { StreamName = var.events_stream_name }
        # No reader, no metric: that is what heartbeats and probes are for.
        threshold = var.iterator_age_seconds * 1000, above = true, missing = "notBreaching", period = 60, periods = 5
      }
      heartbeat-missing = {
        runbook    = "Heartbeat is missing"
        what       = "The heartbeat did not run for five minutes: windows do not close in silence."
        namespace  = "AWS/Lambda", metric = "Invocations", statistic = "Sum"
        dimensions = { FunctionName = var.heartbeat_function_name }
        # Of a minute: how long CloudWatch waits before it says that nothing comes any more goes by the period.
        threshold = 1, above = false, missing = "missing", period = 60, periods = 5
      }
      heartbeat-errors = {
        runbook    = "Heartbeat is missing"
        what       = "The heartbeat fails."
        namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum"
        dimensions = { FunctionName = var.heartbeat_function_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
      }
      probe-missing = {
        runbook    = "Probe does not arrive"
        what       = "No probe went through the whole path for ${var.probe_missing_minutes} minutes: rules may be dead without a sign."
        namespace  = "Weir", metric = "probe_age_ms", statistic = "Minimum"
        dimensions = { function = var.heartbeat_function_name }
        # The heartbeat tells the age of the last probe that came through. Before the first there is none; without the heartbeat
        # its own alarm is on.
        threshold = 60000 * var.probe_missing_minutes, above = true, missing = "notBreaching", period = 60, periods = 2
      }
      probe-slow = {
        runbook    = "Probe is slow"
        what       = "Probes need longer than ${var.probe_slow_seconds} s through the whole path."
        namespace  = "Weir", metric = "probe_ms", statistic = "Maximum"
        dimensions = { function = var.alerter_function_name }
        threshold  = var.probe_slow_seconds * 1000, above = true, missing = "notBreaching", period = 60, periods = 5
      }
    },
    var.undelivered_queue_name == null ? {} : {
      undelivered = {
        runbook    = "Alerts are not delivered"
        what       = "SNS could not hand an alert to a subscriber."
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
        dimensions = { QueueName = var.undelivered_queue_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 1
      }
    },
    var.embedded_pipeline == null ? {} : {
      rule-errors = {
        runbook    = "rule_errors"
        what       = "Rules of the embedded engine leave rows out, because an expression fails on them."
        namespace  = "Weir", metric = "rule_errors", statistic = "Sum"
        dimensions = { pipeline = var.embedded_pipeline }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 1
      }
    },
    { for key, alarm in {
      pipeline-not-running = {
        runbook    = "Pipeline does not run"
        what       = "No pipeline is Running, or nobody could ask Arroyo."
        namespace  = "Weir", metric = "pipelines_running", statistic = "Minimum"
        dimensions = { function = var.heartbeat_function_name }
        # Longer than a restart of the control task, which stops before it starts again: a minute or two, and what a resolver
        # remembers of it.
        threshold = 1, above = false, missing = "missing", period = 60, periods = 10
      }
      pipeline-failed = {
        runbook    = "Pipeline does not run"
        what       = "A pipeline is Failed."
        namespace  = "Weir", metric = "pipelines_failed", statistic = "Maximum"
        dimensions = { function = var.heartbeat_function_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 2
      }
      checkpoint-age = {
        runbook    = "Checkpoints are old"
        what       = "Arroyo wrote no checkpoint for ${var.checkpoint_age_seconds} s."
        namespace  = "AWS/S3", metric = "PutRequests", statistic = "Sum"
        dimensions = try({ BucketName = var.arroyo.state_bucket, FilterId = var.arroyo.checkpoint_metrics }, {})
        threshold  = 1, above = false, missing = "missing", period = var.checkpoint_age_seconds, periods = 1
      }
      checkpoint-unfinished = {
        runbook    = "Checkpoints are old"
        what       = "The last checkpoint that a running pipeline finished is older than ${var.checkpoint_age_seconds} s."
        namespace  = "Weir", metric = "checkpoint_age_ms", statistic = "Maximum"
        dimensions = { function = var.heartbeat_function_name }
        # No answer from Arroyo is the alarm pipeline-not-running.
        threshold = var.checkpoint_age_seconds * 1000, above = true, missing = "notBreaching", period = 60, periods = 2
      }
      arroyo-memory = {
        runbook    = "Arroyo runs out of memory"
        what       = "Arroyo's control task uses more than 85 % of its memory: state lives there."
        namespace  = "AWS/ECS", metric = "MemoryUtilization", statistic = "Maximum"
        dimensions = try({ ClusterName = var.arroyo.cluster_name, ServiceName = var.arroyo.control_service_name }, {})
        # No task, no metric: that is the alarm pipeline-not-running.
        threshold = 85, above = true, missing = "notBreaching", period = 60, periods = 5
      }
    } : key => alarm if var.arroyo != null },
    { for key, alarm in {
      catalogue-storage = {
        runbook    = "Catalogue runs out of space"
        what       = "Less than 2 GiB are free on the catalogue's disk."
        namespace  = "AWS/RDS", metric = "FreeStorageSpace", statistic = "Minimum"
        dimensions = try({ DBInstanceIdentifier = var.arroyo.database_identifier }, {})
        threshold  = 2147483648, above = false, missing = "notBreaching", period = 300, periods = 2
      }
    } : key => alarm if var.arroyo != null && !try(var.arroyo.database_is_cluster, false) },
    local.engine_alarms,
    { for key, alarm in {
      heartbeat-streams = {
        runbook    = "Stream takes no heartbeats"
        what       = "A declared stream takes no heartbeats: its last windows do not close in silence."
        namespace  = "Weir", metric = "streams_failed", statistic = "Sum"
        dimensions = { function = var.heartbeat_function_name }
        threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
      }
    } : key => alarm if var.heartbeats_of_streams },
    local.stream_alarms,
  )

  # Of each declared stream: how far its reader is behind, and its gate. The metrics of a stream of another account or region are
  # there: an alarm here would see none, and be well for ever.
  stream_alarms = merge([
    for name, stream in var.streams : merge(
      { for key, alarm in {
        "stream-${name}-behind" = {
          runbook    = "Stream falls behind"
          what       = "Records of ${stream.stream_name} wait longer than ${var.iterator_age_seconds} s for a reader${stream.created ? "" : ", Weir or another one"}."
          namespace  = "AWS/Kinesis", metric = "GetRecords.IteratorAgeMilliseconds", statistic = "Maximum"
          dimensions = { StreamName = stream.stream_name }
          threshold  = var.iterator_age_seconds * 1000, above = true, missing = "notBreaching", period = 60, periods = 5
        }
      } : key => alarm if stream.gate == null && stream.near },
      stream.gate == null ? {} : {
        "stream-${name}-behind" = {
          runbook    = "Stream falls behind"
          what       = "Rows of ${stream.gate.plain_stream_name} wait longer than ${var.iterator_age_seconds} s for the engine."
          namespace  = "AWS/Kinesis", metric = "GetRecords.IteratorAgeMilliseconds", statistic = "Maximum"
          dimensions = { StreamName = stream.gate.plain_stream_name }
          threshold  = var.iterator_age_seconds * 1000, above = true, missing = "notBreaching", period = 60, periods = 5
        }
        "gate-${name}-behind" = {
          runbook    = "Gate falls behind"
          what       = "Records of ${stream.stream_name} wait longer than ${var.iterator_age_seconds} s for the gate."
          namespace  = "AWS/Lambda", metric = "IteratorAge", statistic = "Maximum"
          dimensions = { FunctionName = stream.gate.function_name }
          threshold  = var.iterator_age_seconds * 1000, above = true, missing = "notBreaching", period = 60, periods = 5
        }
        "gate-${name}-errors" = {
          runbook    = "Gate fails"
          what       = "The gate of ${stream.stream_name} fails as a whole."
          namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum"
          dimensions = { FunctionName = stream.gate.function_name }
          threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
        }
        # It answers, and gives records back: an invocation of that kind is no error of Lambda's.
        "gate-${name}-failed" = {
          runbook    = "Gate fails"
          what       = "The gate of ${stream.stream_name} gives records back that it can neither put nor quarantine."
          namespace  = "Weir", metric = "failed", statistic = "Sum"
          dimensions = { function = stream.gate.function_name }
          threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 5
        }
        "gate-${name}-throttles" = {
          runbook    = "Gate fails"
          what       = "Lambda refuses to run the gate of ${stream.stream_name}."
          namespace  = "AWS/Lambda", metric = "Throttles", statistic = "Sum"
          dimensions = { FunctionName = stream.gate.function_name }
          threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
        }
        "gate-${name}-quarantined" = {
          runbook    = "Poison in quarantine"
          what       = "The gate of ${stream.stream_name} put records into quarantine."
          namespace  = "Weir", metric = "quarantined", statistic = "Sum"
          dimensions = { function = stream.gate.function_name }
          threshold  = 0, above = true, missing = "notBreaching", period = 300, periods = 1
        }
        "gate-${name}-dlq" = {
          runbook    = "Gate gives up"
          what       = "The gate of ${stream.stream_name} gave up on a batch: rules have not seen it."
          namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
          dimensions = { QueueName = stream.gate.dlq_name }
          threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 1
        }
        "gate-${name}-refused" = {
          runbook    = "Gate falls behind"
          what       = "${stream.gate.plain_stream_name} refuses writes: it has too few shards."
          namespace  = "AWS/Kinesis", metric = "WriteProvisionedThroughputExceeded", statistic = "Sum"
          dimensions = { StreamName = stream.gate.plain_stream_name }
          threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 5
        }
      },
      stream.created ? {
        "stream-${name}-refused" = {
          runbook    = "Events are refused"
          what       = "${stream.stream_name} refuses writes: it has too few shards, or a hot one."
          namespace  = "AWS/Kinesis", metric = "WriteProvisionedThroughputExceeded", statistic = "Sum"
          dimensions = { StreamName = stream.stream_name }
          threshold  = 0, above = true, missing = "notBreaching", period = 60, periods = 3
        }
      } : {},
    )
  ]...)

  # GitHub's anchor of a heading.
  anchors = { for key, alarm in local.alarms : key => lower(replace(alarm.runbook, " ", "-")) }
}

# Not the alert topic: alerts are about a person's data, alarms about Weir itself, and each must reach people when the
# other does not. CloudWatch cannot publish to a topic under the AWS-managed key, whose policy nobody can change; without a
# key of its own the topic is therefore not encrypted. An alarm names resources and numbers, no data.
resource "aws_sns_topic" "alarms" {
  name              = "${var.name_prefix}-alarms"
  display_name      = "Weir alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "AllowAlarmsOfThisAccount"
        Effect    = "Allow"
        Action    = ["sns:Publish"]
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Resource  = [aws_sns_topic.alarms.arn]
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      }],
      var.budget == null ? [] : [{
        Sid       = "AllowBudgetsOfThisAccount"
        Effect    = "Allow"
        Action    = ["sns:Publish"]
        Principal = { Service = "budgets.amazonaws.com" }
        Resource  = [aws_sns_topic.alarms.arn]
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      }],
    )
  })
}

data "aws_caller_identity" "current" {}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = { for s in var.subscriptions : "${s.protocol}:${s.endpoint}" => s }

  endpoint  = each.value.endpoint
  protocol  = each.value.protocol
  topic_arn = aws_sns_topic.alarms.arn
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.name_prefix}-${each.key}"
  alarm_description = "${each.value.what} What to do: ${local.runbooks}#${local.anchors[each.key]}"

  comparison_operator = each.value.above ? "GreaterThanThreshold" : "LessThanThreshold"
  dimensions          = each.value.dimensions
  evaluation_periods  = each.value.periods
  metric_name         = each.value.metric
  namespace           = each.value.namespace
  period              = each.value.period
  statistic           = each.value.statistic
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing

  alarm_actions             = contains(local.symptoms, each.key) ? [] : [aws_sns_topic.alarms.arn]
  insufficient_data_actions = contains(local.symptoms, each.key) || each.value.missing != "missing" ? [] : [aws_sns_topic.alarms.arn]
  ok_actions                = contains(local.symptoms, each.key) ? [] : [aws_sns_topic.alarms.arn]
}

# One outage is one message. What has a known cause that is an alarm itself is told only while none of those causes is: an
# engine that stands still also lags, checkpoints nothing and lets no probe through.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-suppression.html
locals {
  symptoms = setunion(local.path_symptoms, toset(flatten(values(local.gate_symptoms))))
  path_symptoms = setunion(
    setintersection(toset(keys(local.alarms)), toset(["checkpoint-age", "checkpoint-unfinished", "engine-behind", "engine-checkpoint-age", "engine-lag", "probe-missing", "probe-slow"])),
    local.stream_symptoms,
  )
  # By their runbooks alone: of many streams the names would not fit into a description.
  stream_symptoms = toset([for name, stream in var.streams : "stream-${name}-behind" if stream.gate == null && stream.near])
  # What breaks the whole path. The trouble of one gate, or of one stream that takes no heartbeats, is none: it would keep all of
  # the path silent for as long as it lasts.
  causes = setintersection(toset(keys(local.alarms)), toset([
    "alerter-errors", "alerter-iterator-age", "alerter-throttles", "engine-fails", "engine-fenced", "engine-stopped", "heartbeat-errors", "heartbeat-missing", "pipeline-failed", "pipeline-not-running",
  ]))
  gated         = { for name, stream in var.streams : name => stream if stream.gate != null }
  gate_symptoms = { for name in keys(local.gated) : name => ["gate-${name}-behind", "stream-${name}-behind"] }
  gate_causes   = { for name in keys(local.gated) : name => ["gate-${name}-errors", "gate-${name}-failed", "gate-${name}-refused", "gate-${name}-throttles"] }

  # Symptoms end some minutes after their cause, and some begin minutes before: pipeline-not-running takes ten minutes,
  # checkpoint-age five.
  suppression = { extension_period = 900, wait_period = 360 }
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html: "as many as 100 children", and
  # 10,240 characters.
  most_children = 100
  most_rule     = 10240
}

locals {
  # An alarm is on, or what it watches stopped.
  alarm_is_on = {
    for key, alarm in local.alarms : key => join(" OR ", concat(
      ["ALARM(\"${var.name_prefix}-${key}\")"],
      alarm.missing == "missing" ? ["INSUFFICIENT_DATA(\"${var.name_prefix}-${key}\")"] : [],
    ))
  }
  # Checkpoints are missed only of pipelines that run: before the first deploy there are none.
  path_rule = join(" OR ", [for key in sort(local.path_symptoms) : local.symptom_is_on[key]])
  # The alarms that it names, each once. `[(]` is easier to read for the policy scan's parser than an escaped bracket.
  path_children = length(distinct(flatten(regexall("[(]\"([^\"]+)\"[)]", local.path_rule))))
  symptom_is_on = merge(
    { for key in local.symptoms : key => local.alarm_is_on[key] },
    { for key in setintersection(local.symptoms, ["checkpoint-age"]) : key => "((${local.alarm_is_on[key]}) AND OK(\"${var.name_prefix}-pipeline-not-running\"))" },
  )
}

resource "aws_cloudwatch_composite_alarm" "causes" {
  alarm_name        = "${var.name_prefix}-known-causes"
  alarm_description = "Tells nobody: while it is on, ${var.name_prefix}-path is not told."
  alarm_rule        = join(" OR ", [for key in sort(local.causes) : local.alarm_is_on[key]])

  # A rule names alarms that exist.
  depends_on = [aws_cloudwatch_metric_alarm.this]
}

resource "aws_cloudwatch_composite_alarm" "path" {
  alarm_name        = "${var.name_prefix}-path"
  alarm_description = "The path from event to alert is slow or broken, and no other alarm says why: ${join("; ", distinct([for key in sort(local.path_symptoms) : contains(local.stream_symptoms, key) ? "${local.runbooks}#${local.anchors[key]}" : "${var.name_prefix}-${key}, ${local.runbooks}#${local.anchors[key]}"]))}"
  alarm_rule        = local.path_rule

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]

  actions_suppressor {
    alarm            = aws_cloudwatch_composite_alarm.causes.alarm_name
    extension_period = local.suppression.extension_period
    wait_period      = local.suppression.wait_period
  }

  lifecycle {
    precondition {
      condition     = local.path_children <= local.most_children && length(local.path_rule) <= local.most_rule
      error_message = "Too many streams for one alarm of the path: CloudWatch takes ${local.most_children} alarms and ${local.most_rule} characters in a rule, and ${length(var.streams)} streams make ${local.path_children} and ${length(local.path_rule)}. Spread the streams over two stacks, or set observability_enabled = false."
    }
  }

  depends_on = [aws_cloudwatch_metric_alarm.this]
}

# Of each stream with a gate, one of its own: what its gate's own alarms say is not told twice, and hides nothing of the others.
resource "aws_cloudwatch_composite_alarm" "gate" {
  for_each = local.gated

  alarm_name        = "${var.name_prefix}-stream-${each.key}-path"
  alarm_description = "Rows of ${each.value.stream_name} come late to the rules, and no other alarm says why: ${join("; ", [for key in local.gate_symptoms[each.key] : "${local.runbooks}#${local.anchors[key]}"])}"
  alarm_rule = format(
    "(%s) AND NOT (%s)",
    join(" OR ", [for key in local.gate_symptoms[each.key] : local.alarm_is_on[key]]),
    join(" OR ", [for key in local.gate_causes[each.key] : local.alarm_is_on[key]]),
  )

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]

  actions_suppressor {
    alarm            = aws_cloudwatch_composite_alarm.causes.alarm_name
    extension_period = local.suppression.extension_period
    wait_period      = local.suppression.wait_period
  }

  depends_on = [aws_cloudwatch_metric_alarm.this]
}

resource "aws_budgets_budget" "this" {
  count = var.budget == null ? 0 : 1

  name         = "${var.name_prefix}-monthly"
  budget_type  = "COST"
  limit_amount = tostring(var.budget.monthly_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  # Costs carry our tag only once somebody has activated it for cost allocation; until then the budget is the account's.
  dynamic "cost_filter" {
    for_each = var.budget.cost_tag_activated ? [1] : []

    content {
      name = "TagKeyValue"
      # "user:KEY$VALUE". Not an interpolation: "$${" is Terraform's escape for a literal "${".
      # https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/budgets_budget#cost-filter
      values = [format("user:stack$%s", var.name_prefix)]
    }
  }

  notification {
    comparison_operator       = "GREATER_THAN"
    notification_type         = "FORECASTED"
    subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
    threshold                 = 100
    threshold_type            = "PERCENTAGE"
  }

  notification {
    comparison_operator       = "GREATER_THAN"
    notification_type         = "ACTUAL"
    subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
  }

  depends_on = [aws_sns_topic_policy.alarms]
}
