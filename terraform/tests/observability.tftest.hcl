mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  alerter_dlq_name        = "weir-alerter-dlq"
  alerter_function_name   = "weir-alerter"
  anomalies_stream_name   = "weir-anomalies"
  events_stream_name      = "weir-events"
  heartbeat_function_name = "weir-heartbeat"
  name_prefix             = "weir"
  quarantine_queue_name   = "weir-quarantine"
  region                  = "eu-central-1"
  table_name              = "weir-anomalies"
}

run "without_arroyo" {
  module { source = "./modules/observability" }

  assert {
    condition     = !contains(output.alarm_names, "weir-pipeline-not-running") && !contains(output.alarm_names, "weir-rule-errors") && contains(output.alarm_names, "weir-heartbeat-missing")
    error_message = "what is not there is not watched"
  }

  assert {
    condition = alltrue([
      aws_cloudwatch_metric_alarm.this["heartbeat-missing"].insufficient_data_actions == toset([aws_sns_topic.alarms.arn]),
      strcontains(aws_cloudwatch_composite_alarm.causes.alarm_rule, "INSUFFICIENT_DATA(\"weir-heartbeat-missing\")"),
    ])
    error_message = "silence is an alarm"
  }

  assert {
    condition     = length(aws_budgets_budget.this) == 0
    error_message = "no budget unless asked for"
  }
}

# A new alarm has no data: what was told of that would be told of every new stack.
run "a_stack_is_silent_until_its_first_deploy_is_through" {
  module { source = "./modules/observability" }

  variables {
    arroyo = { checkpoint_metrics = "checkpoints", state_bucket = "weir-arroyo-state", cluster_name = "weir-arroyo", control_service_name = "weir-arroyo-control", database_identifier = "weir-arroyo" }
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data != "breaching"])
    error_message = "what never began is no outage"
  }

  assert {
    condition = alltrue([
      aws_cloudwatch_metric_alarm.this["probe-missing"].metric_name == "probe_age_ms",
      aws_cloudwatch_metric_alarm.this["probe-missing"].threshold == 600000,
      aws_cloudwatch_metric_alarm.this["pipeline-not-running"].insufficient_data_actions == toset([aws_sns_topic.alarms.arn]),
      strcontains(aws_cloudwatch_composite_alarm.path.alarm_rule, "INSUFFICIENT_DATA(\"weir-checkpoint-age\")) AND OK(\"weir-pipeline-not-running\")"),
    ])
    error_message = "what stopped is an outage"
  }
}

run "many_streams_fit_into_the_alarms" {
  module { source = "./modules/observability" }

  variables {
    runbook_url = "https://example.com/a/repository/with/a/long/address/docs/runbooks.md"
    streams     = { for n in range(20) : "stream_with_a_long_name_${n}" => { stream_name = "s${n}", gate = { dlq_name = "d${n}", function_name = "f${n}", plain_stream_name = "p${n}" } } }
  }

  assert {
    condition     = length(aws_cloudwatch_composite_alarm.path.alarm_description) <= 1024 && length(aws_cloudwatch_composite_alarm.path.alarm_rule) <= 10240 && length(aws_cloudwatch_composite_alarm.causes.alarm_rule) <= 10240
    error_message = "what CloudWatch takes is not exceeded"
  }
}

run "the_embedded_engine_is_watched_when_it_writes_metrics" {
  module { source = "./modules/observability" }

  variables {
    embedded_pipeline = "weir-dev"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["rule-errors"].namespace == "Weir" &&
      aws_cloudwatch_metric_alarm.this["rule-errors"].metric_name == "rule_errors" &&
      aws_cloudwatch_metric_alarm.this["rule-errors"].dimensions == tomap({ pipeline = "weir-dev" }) &&
      aws_cloudwatch_metric_alarm.this["rule-errors"].statistic == "Sum" &&
      aws_cloudwatch_metric_alarm.this["rule-errors"].threshold == 0 &&
      aws_cloudwatch_metric_alarm.this["rule-errors"].comparison_operator == "GreaterThanThreshold" &&
      aws_cloudwatch_metric_alarm.this["rule-errors"].treat_missing_data == "notBreaching"
    )
    error_message = "one row that a rule leaves out is an alarm, on the metric as `weir run --emf` writes it"
  }

  assert {
    condition     = endswith(aws_cloudwatch_metric_alarm.this["rule-errors"].alarm_description, "docs/runbooks.md#rule_errors")
    error_message = "the alarm names its runbook"
  }
}

run "the_embedded_engines_service_is_watched" {
  module { source = "./modules/observability" }

  variables {
    embedded_pipeline = "weir-dev"
    engine            = { cluster_name = "weir-engine", service_name = "weir-engine" }
  }

  assert {
    condition = {
      for key in ["engine-checkpoint-age", "engine-fails", "engine-fenced", "engine-lag", "engine-stopped"] : key => aws_cloudwatch_metric_alarm.this[key].metric_name
      } == {
      engine-checkpoint-age = "checkpoint_age_seconds"
      engine-fails          = "failed"
      engine-fenced         = "fenced"
      engine-lag            = "lag_seconds"
      engine-stopped        = "running"
    }
    error_message = "the metrics are those that `weir serve --emf` writes"
  }

  assert {
    condition     = alltrue([for key in ["engine-checkpoint-age", "engine-fails", "engine-fenced", "engine-lag", "engine-stopped"] : aws_cloudwatch_metric_alarm.this[key].dimensions == tomap({ pipeline = "weir-dev" })])
    error_message = "they are of the engine's pipeline"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["engine-memory"].dimensions == tomap({ ClusterName = "weir-engine", ServiceName = "weir-engine" })
    error_message = "memory is the task's"
  }

  assert {
    condition = alltrue([
      aws_cloudwatch_metric_alarm.this["engine-stopped"].insufficient_data_actions == toset([aws_sns_topic.alarms.arn]),
      strcontains(aws_cloudwatch_composite_alarm.causes.alarm_rule, "INSUFFICIENT_DATA(\"weir-engine-stopped\")"),
      strcontains(aws_cloudwatch_composite_alarm.path.alarm_rule, "ALARM(\"weir-engine-lag\")"),
      length(aws_cloudwatch_metric_alarm.this["engine-lag"].alarm_actions) == 0,
    ])
    error_message = "an engine that stands still is one message"
  }
}

run "an_engine_that_is_watched_writes_metrics" {
  command = plan

  module { source = "./modules/observability" }

  variables {
    engine = { cluster_name = "weir-engine", service_name = "weir-engine" }
  }

  expect_failures = [var.engine]
}

run "an_embedded_pipeline_has_a_name" {
  command = plan

  module { source = "./modules/observability" }

  variables {
    embedded_pipeline = ""
  }

  expect_failures = [var.embedded_pipeline]
}

run "every_alarm_names_its_runbook" {
  module { source = "./modules/observability" }

  variables {
    arroyo                 = { checkpoint_metrics = "checkpoints", state_bucket = "weir-arroyo-state", cluster_name = "weir-arroyo", control_service_name = "weir-arroyo-control", database_identifier = "weir-arroyo" }
    budget                 = { monthly_usd = 100 }
    embedded_pipeline      = "weir-dev"
    engine                 = { cluster_name = "weir-engine", service_name = "weir-engine" }
    streams                = { flows = { stream_name = "flow-logs", gate = { dlq_name = "weir-gate-flows-dlq", function_name = "weir-gate-flows", plain_stream_name = "weir-flows-plain" } }, orders = { created = true, stream_name = "weir-orders" } }
    undelivered_queue_name = "weir-undelivered"
  }

  assert {
    condition     = alltrue([for heading in values(output.runbooks) : strcontains(file("../docs/runbooks.md"), "\n## ${heading}\n")])
    error_message = "docs/runbooks.md lacks: ${join(", ", [for heading in distinct(values(output.runbooks)) : heading if !strcontains(file("../docs/runbooks.md"), "\n## ${heading}\n")])}"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : can(regex("docs/runbooks\\.md#[a-z_-]+$", alarm.alarm_description))])
    error_message = "every alarm ends with the place of its runbook"
  }

  assert {
    condition = alltrue([
      for key, alarm in merge(aws_cloudwatch_metric_alarm.this, { path = aws_cloudwatch_composite_alarm.path }, { for name, alarm in aws_cloudwatch_composite_alarm.gate : "path-${name}" => alarm }) :
      (alarm.alarm_actions == toset([aws_sns_topic.alarms.arn]) && alarm.ok_actions == alarm.alarm_actions) == contains(output.told_alarm_names, alarm.alarm_name)
    ])
    error_message = "what is told is told also when it is over"
  }

  assert {
    condition     = length(setintersection(toset(output.alarm_names), toset(["weir-arroyo-memory", "weir-catalogue-storage", "weir-checkpoint-age", "weir-checkpoint-unfinished", "weir-pipeline-failed", "weir-pipeline-not-running", "weir-undelivered"]))) == 7
    error_message = "Arroyo, its catalogue and undelivered alerts are watched"
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 17
    error_message = "the dashboard shows the whole path"
  }

  assert {
    condition     = aws_budgets_budget.this[0].limit_amount == "100" && length(aws_budgets_budget.this[0].cost_filter) == 0
    error_message = "the budget is the account's until the tag is activated"
  }
}

run "one_outage_is_one_message" {
  module { source = "./modules/observability" }

  variables {
    arroyo      = { checkpoint_metrics = "checkpoints", state_bucket = "weir-arroyo-state", cluster_name = "weir-arroyo", control_service_name = "weir-arroyo-control", database_identifier = "weir-arroyo" }
    runbook_url = "https://example.com/runbooks"
    streams     = { flows = { stream_name = "flow-logs", gate = { dlq_name = "weir-gate-flows-dlq", function_name = "weir-gate-flows", plain_stream_name = "weir-flows-plain" } }, orders = { created = true, stream_name = "weir-orders" } }

    heartbeats_of_streams = true
  }

  # Arroyo is gone: these go off. The first tells, the others wait for it and are then held back.
  assert {
    condition     = setintersection(toset(output.told_alarm_names), toset(["weir-arroyo-memory", "weir-checkpoint-age", "weir-engine-behind", "weir-pipeline-not-running", "weir-probe-missing"])) == toset(["weir-arroyo-memory", "weir-pipeline-not-running"])
    error_message = "of what an outage of Arroyo sets off, one alarm tells somebody"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["arroyo-memory"].treat_missing_data == "notBreaching"
    error_message = "a task that is gone is no task that runs out of memory"
  }

  assert {
    condition = alltrue([
      strcontains(aws_cloudwatch_composite_alarm.causes.alarm_rule, "ALARM(\"weir-pipeline-not-running\")"),
      aws_cloudwatch_composite_alarm.causes.alarm_actions == null || try(length(aws_cloudwatch_composite_alarm.causes.alarm_actions) == 0, true),
      aws_cloudwatch_composite_alarm.path.actions_suppressor[0].alarm == "weir-known-causes",
      strcontains(aws_cloudwatch_composite_alarm.path.alarm_rule, "ALARM(\"weir-probe-missing\")"),
    ])
    error_message = "symptoms are told unless a cause of theirs is"
  }

  # Every alarm is told, or is a part of one that is.
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      contains(output.told_alarm_names, alarm.alarm_name) || anytrue([
        for told in concat([aws_cloudwatch_composite_alarm.path], values(aws_cloudwatch_composite_alarm.gate)) : strcontains(told.alarm_rule, "ALARM(\"${alarm.alarm_name}\")")
      ])
    ])
    error_message = "no alarm is silent"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : can(regex("https://example\\.com/runbooks#[a-z-]+$", alarm.alarm_description))]) && length(aws_cloudwatch_composite_alarm.path.alarm_description) <= 1024
    error_message = "links can be opened, and what CloudWatch takes is not exceeded"
  }
}

run "throttled_indexes_are_seen" {
  module { source = "./modules/observability" }

  assert {
    condition = toset([
      for alarm in aws_cloudwatch_metric_alarm.this : lookup(alarm.dimensions, "GlobalSecondaryIndexName", "") if alarm.metric_name == "WriteThrottleEvents"
    ]) == toset(["", "by_key", "by_rule"])
    error_message = "the table's own metric leaves its indexes out"
  }
}

run "budget_of_this_stack" {
  module { source = "./modules/observability" }

  variables {
    budget      = { monthly_usd = 100, cost_tag_activated = true }
    name_prefix = "weir-dev"
  }

  assert {
    condition     = [for filter in aws_budgets_budget.this[0].cost_filter : "${filter.name} ${join(",", filter.values)}"] == ["TagKeyValue user:stack$weir-dev"]
    error_message = "the budget counts what carries this stack's tag, not a tag that nothing carries"
  }
}

run "two_stacks_have_series_of_their_own" {
  module { source = "./modules/observability" }

  variables {
    alerter_function_name   = "staging-alerter"
    heartbeat_function_name = "staging-heartbeat"
    arroyo                  = { checkpoint_metrics = "checkpoints", state_bucket = "weir-arroyo-state", cluster_name = "weir-arroyo", control_service_name = "weir-arroyo-control", database_identifier = "weir-arroyo" }
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      contains(["staging-alerter", "staging-heartbeat"], lookup(alarm.dimensions, "function", "none")) if alarm.namespace == "Weir"
    ])
    error_message = "an alarm on Weir's own metrics is one of this stack's functions, by the name that its log line carries"
  }

  assert {
    condition = alltrue(flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [
        for metric in widget.properties.metrics : contains(["staging-alerter", "staging-heartbeat"], metric[3]) if metric[0] == "Weir"
      ]
    ]))
    error_message = "so does the dashboard"
  }
}

run "alarm_topic_takes_this_accounts_alarms" {
  module { source = "./modules/observability" }

  assert {
    condition = jsondecode(aws_sns_topic_policy.alarms.policy).Statement == [{
      Sid       = "AllowAlarmsOfThisAccount"
      Effect    = "Allow"
      Action    = ["sns:Publish"]
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Resource  = ["arn:aws:sns:eu-central-1:111122223333:weir-alerts"]
      Condition = { StringEquals = { "aws:SourceAccount" = "111122223333" } }
    }]
    error_message = "only this account's alarms may publish"
  }
}

run "aurora_has_no_disk_to_watch" {
  module { source = "./modules/observability" }

  variables {
    arroyo = { checkpoint_metrics = "checkpoints", state_bucket = "weir-arroyo-state", cluster_name = "weir-arroyo", control_service_name = "weir-arroyo-control", database_identifier = "weir-arroyo", database_is_cluster = true }
  }

  assert {
    condition     = !contains(output.alarm_names, "weir-catalogue-storage")
    error_message = "Aurora's storage grows by itself"
  }
}

run "limits" {
  command = plan
  module { source = "./modules/observability" }

  variables {
    budget                 = { monthly_usd = 0 }
    checkpoint_age_seconds = 90
    iterator_age_seconds   = 0
    probe_missing_minutes  = 1
    subscriptions          = [{ protocol = "http", endpoint = "http://example.com" }]
  }

  expect_failures = [var.budget, var.checkpoint_age_seconds, var.iterator_age_seconds, var.probe_missing_minutes, var.subscriptions]
}

# What breaks one stream is told by itself, and keeps nothing else silent.
run "the_trouble_of_one_stream_mutes_no_other" {
  module { source = "./modules/observability" }

  variables {
    heartbeats_of_streams = true
    streams               = { flows = { stream_name = "flow-logs", gate = { dlq_name = "weir-gate-flows-dlq", function_name = "weir-gate-flows", plain_stream_name = "weir-flows-plain" } }, orders = { created = true, stream_name = "weir-orders" } }
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_composite_alarm.causes.alarm_rule, "gate-") && !strcontains(aws_cloudwatch_composite_alarm.causes.alarm_rule, "heartbeat-streams")
    error_message = "the path is told while a gate, or a further stream, is broken: ${aws_cloudwatch_composite_alarm.causes.alarm_rule}"
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.gate["flows"].alarm_rule == "(ALARM(\"weir-gate-flows-behind\") OR ALARM(\"weir-stream-flows-behind\")) AND NOT (ALARM(\"weir-gate-flows-errors\") OR ALARM(\"weir-gate-flows-failed\") OR ALARM(\"weir-gate-flows-refused\") OR ALARM(\"weir-gate-flows-throttles\"))"
    error_message = "a gate's own alarms say why its stream is late"
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.gate["flows"].actions_suppressor[0].alarm == "weir-known-causes" && !strcontains(aws_cloudwatch_composite_alarm.path.alarm_rule, "flows") && strcontains(aws_cloudwatch_composite_alarm.path.alarm_rule, "ALARM(\"weir-stream-orders-behind\")")
    error_message = "an engine that stands still is told once"
  }

  assert {
    condition     = length(setsubtract(["weir-gate-flows-errors", "weir-gate-flows-failed", "weir-gate-flows-refused", "weir-gate-flows-throttles", "weir-heartbeat-streams", "weir-stream-flows-path"], output.told_alarm_names)) == 0
    error_message = "each of them is told"
  }
}

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
run "more_streams_than_one_alarm_has_children" {
  command = plan
  module { source = "./modules/observability" }

  variables {
    streams = { for n in range(98) : "s${n}" => { stream_name = "s${n}" } }
  }

  expect_failures = [aws_cloudwatch_composite_alarm.path]
}

run "as_many_streams_as_one_alarm_has_children" {
  command = plan
  module { source = "./modules/observability" }

  variables {
    streams = { for n in range(97) : "s${n}" => { stream_name = "s${n}" } }
  }

  assert {
    condition     = length(flatten(regexall("ALARM", aws_cloudwatch_composite_alarm.path.alarm_rule))) == 100
    error_message = "the limit itself is allowed"
  }
}
