//! What of a stack is protected from deletion.
//!
//! AWS protects tables, databases and load balancers, not streams and queues. Terraform deletes what it can before it meets what
//! is protected, so an attempt to destroy a protected stack must not begin.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The attributes by which resources say so: of databases, the table, the load balancer.
const ATTRIBUTES: [&str; 3] = ["deletion_protection", "deletion_protection_enabled", "enable_deletion_protection"];

/// The parts that matter of what `terraform show -json` says of a state, or of a plan: a plan's `prior_state` is what AWS has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    values: Values,
    prior_state: Option<Box<Shown>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Values {
    root_module: Module,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Module {
    resources: Vec<Resource>,
    child_modules: Vec<Module>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    address: String,
    #[serde(default)]
    values: Map<String, Value>,
}

/// The addresses of resources that are protected, from what `terraform show -json` writes of a state or a plan.
pub(super) fn protected(json: &[u8]) -> Result<Vec<String>> {
    let shown: Shown = serde_json::from_slice(json).context("terraform show")?;
    let mut found = vec![];
    let state = shown.prior_state.map_or(shown.values, |state| state.values);
    collect(state.root_module, &mut found);
    Ok(found)
}

fn collect(module: Module, found: &mut Vec<String>) {
    let protects =
        |resource: &Resource| ATTRIBUTES.iter().any(|name| resource.values.get(*name) == Some(&Value::Bool(true)));
    found.extend(module.resources.into_iter().filter(protects).map(|resource| resource.address));
    module.child_modules.into_iter().for_each(|child| collect(child, found));
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{"format_version":"1.0","values":{"outputs":{},"root_module":{
        "resources":[{"address":"terraform_data.x","values":{"input":true}}],
        "child_modules":[
          {"address":"module.store","resources":[
             {"address":"module.store.aws_dynamodb_table.this","values":{"deletion_protection_enabled":true}}]},
          {"address":"module.arroyo","resources":[
             {"address":"module.arroyo.aws_db_instance.this[0]","values":{"deletion_protection":true}},
             {"address":"module.arroyo.aws_lb.api[0]","values":{"enable_deletion_protection":false}}]}]}}}"#;

    #[test]
    fn what_is_protected_is_found_in_every_module() {
        let expected = ["module.store.aws_dynamodb_table.this", "module.arroyo.aws_db_instance.this[0]"];
        assert_eq!(protected(STATE.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn of_a_plan_the_state_before_it_counts() {
        let plan = format!(r#"{{"planned_values":{{"root_module":{{}}}},"prior_state":{STATE}}}"#);
        assert_eq!(protected(plan.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn where_nothing_was_applied_nothing_is_protected() {
        assert!(protected(br#"{"format_version":"1.0"}"#).unwrap().is_empty());
        assert!(protected(b"no json").is_err());
    }
}
