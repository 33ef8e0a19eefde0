//! `weir list`: the rules of the project, or of the library.

use std::{collections::BTreeMap, fs};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use weir_anomaly::Stage;
use weir_project::{
    EnvironmentOptions, Repo,
    compile::load_pack,
    library::{self, Origin},
};
use weir_rules::{Environment, Rule, reads};

use crate::table::in_columns;

/// Lists the rules: stage, what they read, parameters, and which differ from the library's
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir list\n  weir list --env prod --json\n  weir list --library")]
pub(crate) struct ListCommand {
    #[command(flatten)]
    environment: EnvironmentOptions,
    /// The rules of Weir's library instead, which `weir add` copies
    #[arg(long, conflicts_with_all = ["environment", "set"])]
    library: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// One rule, as the environment has it.
#[derive(Debug, Serialize)]
struct Listed {
    rule: String,
    stage: Stage,
    severity: weir_anomaly::Severity,
    description: String,
    /// The streams, or views of one, that it reads.
    reads: Vec<String>,
    parameters: BTreeMap<String, Value>,
    /// `own`, `library` or `changed`.
    origin: &'static str,
    /// The rule of the library that it is, or was.
    library: Option<&'static str>,
}

pub(crate) fn run(command: &ListCommand) -> Result<()> {
    if command.library {
        return of_library(command.json);
    }
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    let environment = command.environment.load(&repo, &pack)?;
    let rules: Vec<Listed> = pack.rules.iter().map(|rule| listed(rule, &environment)).collect();
    if command.json {
        println!("{}", json!({ "environment": command.environment.name(&repo), "rules": rules }));
        return Ok(());
    }
    let mut lines = vec![["RULE", "STAGE", "READS", "LIBRARY", "PARAMETERS"].map(str::to_owned)];
    lines.extend(rules.iter().map(line));
    print!("{}", in_columns(&lines));
    Ok(())
}

fn of_library(as_json: bool) -> Result<()> {
    let mut lines = vec![["RULE", "WHAT IT LOOKS FOR"].map(str::to_owned)];
    let mut rules = Vec::new();
    for rule in library::rules() {
        let header = Rule::parse(format!("{}.sql", rule.name).as_ref(), rule.text)?.header;
        rules.push(json!({ "rule": rule.name, "description": header.description, "tags": header.tags }));
        lines.push([rule.name.to_owned(), header.description]);
    }
    if as_json {
        println!("{}", json!({ "rules": rules }));
    } else {
        print!("{}", in_columns(&lines));
    }
    Ok(())
}

fn listed(rule: &Rule, environment: &Environment) -> Listed {
    let header = &rule.header;
    let set = environment.parameters.get(&header.name);
    let value = |name: &String, default: &Value| {
        set.and_then(|values| values.get(name))
            .and_then(|value| serde_json::to_value(value).ok())
            .unwrap_or(default.clone())
    };
    let parameters = header
        .parameters
        .iter()
        .map(|(name, parameter)| {
            let default = serde_json::to_value(&parameter.default).unwrap_or(Value::Null);
            (name.clone(), value(name, &default))
        })
        .collect();
    let text = fs::read_to_string(&rule.file).unwrap_or_default();
    let (origin, library) = match library::origin(&header.name, &text) {
        Origin::Library(name) => ("library", Some(name)),
        Origin::Changed(name) => ("changed", Some(name)),
        Origin::Own => ("own", None),
    };
    Listed {
        rule: header.name.clone(),
        stage: environment.stage(rule),
        severity: header.severity,
        description: header.description.clone(),
        reads: reads(rule, environment).into_iter().collect(),
        parameters,
        origin,
        library,
    }
}

fn line(rule: &Listed) -> [String; 5] {
    let library = match (rule.origin, rule.library) {
        ("library", Some(name)) if name == rule.rule => "same".to_owned(),
        ("library", Some(name)) => format!("same as {name}"),
        ("changed", _) => "differs".to_owned(),
        _ => "-".to_owned(),
    };
    let parameters: Vec<String> = rule
        .parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    [rule.rule.clone(), stage(rule.stage).to_owned(), rule.reads.join(", "), library, parameters.join(", ")]
}

const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Active => "active",
        Stage::Shadow => "shadow",
        Stage::Off => "off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_reads_events() {
        for rule in library::rules() {
            let rule = Rule::parse(format!("{}.sql", rule.name).as_ref(), rule.text).unwrap();
            let reads = reads(&rule, &Environment::default());
            assert!(reads.iter().all(|name| name == "events" || name == "activity"), "{}: {reads:?}", rule.header.name);
            assert!(!reads.is_empty(), "{}", rule.header.name);
        }
    }
}
