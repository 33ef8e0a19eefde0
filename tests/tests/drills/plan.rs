//! The alarms of a stack, from Terraform's plan of it.

use std::{path::Path, process::Command};

use serde_json::Value;
use weir_tests::{Emulator, repo};

use crate::cloudwatch::{CompositeAlarm, Metric, MetricAlarm, Statistic, Suppressor};

/// A stack with Arroyo, streams of every kind and all that is optional, as far as it has alarms.
const VARIABLES: [&str; 9] = [
    "region=us-east-1",
    "name_prefix=weir",
    "observability_enabled=true",
    "embedded_pipeline=weir",
    "alerter_zip=terraform/tests/packages/arm64.zip",
    "gate_zip=terraform/tests/packages/arm64.zip",
    "heartbeat_zip=terraform/tests/packages/arm64.zip",
    "subscriptions=[{protocol=\"email\",endpoint=\"somebody@example.com\"}]",
    "streams={climate={arn=\"climate\",heartbeat=true},flows={arn=\"flow-logs\",gate={declaration=\"envelope = \\\"gzip\\\"\\n[fields]\\nv = \\\"text\\\"\\n\"}},orders={create=true}}",
];

/// The alarms that Terraform would make.
pub(crate) fn alarms(folder: &Path) -> (Vec<MetricAlarm>, Vec<CompositeAlarm>) {
    let emulator = Emulator::start(&folder.join("emulator")).unwrap();
    let data = folder.join("terraform");
    let mut init = Command::new(repo().join("scripts/terraform-init.sh"));
    let said = init.env("TF_DATA_DIR", &data).env("CHECKPOINT_DISABLE", "1").output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let terraform = |arguments: &[&str]| {
        let mut command = Command::new("terraform");
        command.arg(format!("-chdir={}", repo().join("terraform").display())).args(arguments);
        let said = command.env("TF_DATA_DIR", &data).env("CHECKPOINT_DISABLE", "1").output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        said.stdout
    };
    let plan = folder.join("plan");
    let (out, state) = (format!("-out={}", plan.display()), format!("-state={}", folder.join("state").display()));
    let endpoint = format!("endpoint_url={}", emulator.endpoint());
    let mut arguments =
        vec!["plan", "-input=false", "-no-color", "-var-file=dev.tfvars", &out, &state, "-var", &endpoint];
    arguments.extend(VARIABLES.iter().flat_map(|variable| ["-var", variable]));
    terraform(&arguments);
    let shown: Value = serde_json::from_slice(&terraform(&["show", "-json", plan.to_str().unwrap()])).unwrap();
    let changes = shown["resource_changes"].as_array().unwrap();
    let of = |kind: &str| -> Vec<&Value> {
        changes.iter().filter(|change| change["type"] == kind).map(|change| &change["change"]).collect()
    };
    let metrics = of("aws_cloudwatch_metric_alarm").into_iter().map(metric).collect();
    (metrics, of("aws_cloudwatch_composite_alarm").into_iter().map(composite).collect())
}

/// Whether there is something in a list, known or not: the topic is known only when it is made.
fn some(change: &Value, list: &str) -> bool {
    let full = |value: &Value| value == true || value.as_array().is_some_and(|list| !list.is_empty());
    full(&change["after"][list]) || full(&change["after_unknown"][list])
}

fn metric(change: &Value) -> MetricAlarm {
    let after = &change["after"];
    let text = |name: &str| after[name].as_str().unwrap_or_else(|| panic!("{name} of {after}")).to_owned();
    let number = |name: &str| usize::try_from(after[name].as_u64().unwrap()).unwrap();
    let dimensions = after["dimensions"].as_object().unwrap();
    MetricAlarm {
        name: text("alarm_name"),
        metric: Metric {
            namespace: text("namespace"),
            name: text("metric_name"),
            dimensions: dimensions.iter().map(|(name, of)| (name.clone(), of.as_str().unwrap().to_owned())).collect(),
        },
        statistic: match text("statistic").as_str() {
            "Maximum" => Statistic::Maximum,
            "Minimum" => Statistic::Minimum,
            "Sum" => Statistic::Sum,
            other => panic!("{other}"),
        },
        above: match text("comparison_operator").as_str() {
            "GreaterThanThreshold" => true,
            "LessThanThreshold" => false,
            other => panic!("{other}"),
        },
        threshold: after["threshold"].as_f64().unwrap(),
        period: number("period") / 60,
        periods: number("evaluation_periods"),
        missing_is_told: match text("treat_missing_data").as_str() {
            "missing" => true,
            "notBreaching" => false,
            other => panic!("{other}"),
        },
        tells: (some(change, "alarm_actions"), some(change, "insufficient_data_actions")),
    }
}

fn composite(change: &Value) -> CompositeAlarm {
    let after = &change["after"];
    let minutes = |value: &Value| usize::try_from(value.as_u64().unwrap() / 60).unwrap();
    CompositeAlarm {
        name: after["alarm_name"].as_str().unwrap().to_owned(),
        rule: after["alarm_rule"].as_str().unwrap().to_owned(),
        tells: some(change, "alarm_actions"),
        suppressor: after["actions_suppressor"].get(0).map(|by| Suppressor {
            alarm: by["alarm"].as_str().unwrap().to_owned(),
            extension: minutes(&by["extension_period"]),
            wait: minutes(&by["wait_period"]),
        }),
    }
}
