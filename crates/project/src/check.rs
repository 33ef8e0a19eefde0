//! What is wrong with the rules, before anything runs.

use std::{fmt, path::Path};

use anyhow::Result;
use weir_arroyo::{Client, Timing, api::Udf};
use weir_engine::{PlanError, plan};
use weir_rules::{
    Environment, Pack, Program, RuleError, Target, compile_for,
    lint::{Finding, LintOptions, lint},
};

use crate::{
    compile::{EnvironmentOptions, rule_plan_options, udf_faults},
    repo::Repo,
};

/// What to check the rules for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOptions {
    /// The environment that they are compiled for.
    pub environment: EnvironmentOptions,
    /// Keys (sources, series) that a rule is assumed to see, for the estimate of its state.
    pub keys: u64,
    /// An Arroyo whose planner is asked too.
    pub arroyo: Option<ArroyoAddress>,
}

/// Where an Arroyo answers.
#[derive(Clone, PartialEq, Eq)]
pub struct ArroyoAddress {
    /// The address of its API.
    pub url: String,
    /// The API's key, where it asks for one.
    pub key: Option<String>,
}

impl fmt::Debug for ArroyoAddress {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArroyoAddress").field("url", &self.url).finish_non_exhaustive()
    }
}

/// How many rules a project has, and everything that is wrong with them.
///
/// # Errors
/// When the environment cannot be read, or Arroyo does not answer.
pub async fn findings(repo: &Repo, options: &CheckOptions) -> Result<(usize, Vec<Finding>)> {
    let mut findings = Vec::new();
    let mut rules = 0;
    let mut faults = |code, errors: Vec<RuleError>| {
        findings.extend(errors.into_iter().map(|error| Finding::of_error(code, error)));
    };
    let streams = repo.sql().join("streams");
    match Pack::load_readable(&repo.sql()) {
        Err(fault) => faults("invalid-rule", vec![fault]),
        // A rule that cannot be read hides nothing of the others.
        Ok((pack, unread)) => {
            rules = pack.rules.len() + unread.iter().filter(|fault| !fault.file.starts_with(&streams)).count();
            let (environment, unfit) = options.environment.load_beside(repo, &pack, &unread)?;
            let (of_streams, unread): (Vec<_>, Vec<_>) =
                unread.into_iter().partition(|fault| fault.file.starts_with(&streams));
            faults("invalid-stream", of_streams);
            faults("invalid-rule", unread);
            faults("invalid-rule", unfit);
            faults("does-not-plan", udf_faults(&repo.sql()));
            findings.extend(of_pack(&repo.root, &pack, &environment, options.keys));
            findings.extend(crate::streams::findings(&pack, &environment));
            if let Some(arroyo) = &options.arroyo {
                let client = Client::new(&arroyo.url, arroyo.key.clone(), Timing::default())?;
                findings.extend(ask_arroyo(&client, &repo.sql(), &pack, &environment).await?);
            }
        }
    }
    Ok((rules, findings))
}

/// What the compiler, the planner and the lints have against a pack.
pub fn of_pack(root: &Path, pack: &Pack, environment: &Environment, keys: u64) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    // One rule at a time: a program ends at its first fault, a person wants them all.
    for rule in &pack.rules {
        match weir_rules::compile(&pack.only(&rule.header.name), environment) {
            Err(errors) => findings.extend(errors.into_iter().map(|error| Finding::of_error("invalid-rule", error))),
            Ok(program) => {
                if let Err(error) = plan(&program.sql, &rule_plan_options()) {
                    let finding = Finding::of_error("does-not-plan", in_file(&program, &rule.file, &error));
                    // A fault of the tables is one, not one a rule.
                    if !findings.contains(&finding) {
                        findings.push(finding);
                    }
                }
            }
        }
    }
    findings.extend(lint(pack, environment, &LintOptions { root, keys }));
    findings
}

/// What an Arroyo's own planner has against each rule.
async fn ask_arroyo(client: &Client, sql: &Path, pack: &Pack, environment: &Environment) -> Result<Vec<Finding>> {
    let mut findings: Vec<Finding> = Vec::new();
    for rule in &pack.rules {
        // What does not compile was said already.
        let Ok(program) = compile_for(&pack.only(&rule.header.name), environment, Target::Arroyo) else { continue };
        let udfs = weir_rules::udf_definitions(&sql.join("udfs"), &program.sql)?;
        let udfs: Vec<Udf> =
            udfs.into_values().map(|definition| Udf { definition, language: "rust".to_owned() }).collect();
        for refused in client.validate(&program.sql, &udfs).await? {
            // Arroyo 0.15 names no place.
            let number = |n: u64| usize::try_from(n).unwrap_or(0);
            let origin = refused.place.and_then(|(line, column)| program.map.origin(number(line), number(column)));
            let (line, column) = origin.as_ref().map_or((0, 0), |origin| (origin.line, origin.column));
            let error = RuleError {
                file: origin.map_or_else(|| rule.file.clone(), |origin| origin.file),
                line,
                column,
                message: refused.message,
                hint: None,
            };
            let finding = Finding::of_error("refused-by-arroyo", error);
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    Ok(findings)
}

/// A refusal with the place in the file that a person wrote, not in the compiled program.
pub fn in_rule_file(program: &Program, error: &PlanError) -> String {
    match written(program, error) {
        Some(error) => error.to_string(),
        None => {
            let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
            format!("{}{hint}", error.message)
        }
    }
}

/// A program of one rule that has no place for its fault is that rule's.
fn in_file(program: &Program, rule: &Path, error: &PlanError) -> RuleError {
    written(program, error).unwrap_or_else(|| RuleError {
        file: rule.to_owned(),
        line: 0,
        column: 0,
        message: error.message.clone(),
        hint: error.hint.clone(),
    })
}

fn written(program: &Program, error: &PlanError) -> Option<RuleError> {
    let origin = program.map.origin(error.line, error.column)?;
    Some(RuleError {
        file: origin.file,
        line: origin.line,
        column: origin.column,
        message: error.message.clone(),
        hint: error.hint.clone(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at a surprise")]

    use std::fs;

    use weir_arroyo_stand_in::{Options, StandIn};
    use weir_rules::{Rule, lint::Level};

    use super::*;

    fn repo() -> Repo {
        Repo::find().unwrap()
    }

    #[test]
    fn the_rules_of_the_repository_have_no_fault_in_any_environment() {
        let pack = Pack::load(&repo().sql()).unwrap();
        for file in fs::read_dir(repo().sql().join("environments")).unwrap() {
            let file = file.unwrap().path();
            let environment = Environment::parse(&file, &fs::read_to_string(&file).unwrap()).unwrap();
            let findings = lint(&pack, &environment, &LintOptions { root: &repo().root, keys: 1000 });
            let bad: Vec<String> = findings.iter().filter(|f| f.level > Level::Info).map(ToString::to_string).collect();
            assert!(bad.is_empty(), "{}", bad.join("\n"));
        }
    }

    #[tokio::test]
    async fn a_rule_that_cannot_be_read_hides_nothing_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let sql = folder.path().join("sql");
        for part in ["rules", "environments"] {
            fs::create_dir_all(sql.join(part)).unwrap();
        }
        fs::copy(repo().sql().join("tables.sql"), sql.join("tables.sql")).unwrap();
        let header = |name: &str| {
            format!(
                "-- name = \"{name}\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n"
            )
        };
        let rules = [
            ("broken", "-- name = \"broken\"\n\nSELECT 1".to_owned()),
            ("no_select", header("no_select")),
            (
                "unplanned",
                header("unplanned") + "SELECT series AS key, event_time, nothing AS value, 0.5 AS score FROM events",
            ),
            ("untested", header("untested") + "SELECT series AS key, event_time, value, 0.5 AS score FROM events"),
        ];
        for (name, text) in rules {
            fs::write(sql.join("rules").join(format!("{name}.sql")), text).unwrap();
        }
        // Of a rule that cannot be read, nobody knows what may be set.
        fs::write(sql.join("environments/local.toml"), "[parameters.broken]\nx = 1\n[rules.gone]\nstage = \"off\"\n")
            .unwrap();
        let options = CheckOptions {
            environment: EnvironmentOptions {
                environment: Some("local".to_owned()),
                set: vec!["broken.x=2".to_owned()],
            },
            keys: 1000,
            arroyo: None,
        };
        let repo = Repo::at(folder.path().to_owned()).unwrap();
        let (rules, found) = findings(&repo, &options).await.unwrap();
        let name = |finding: &Finding| finding.file.file_name().unwrap().to_string_lossy().into_owned();
        let errors: Vec<_> = found.iter().filter(|f| f.level == Level::Error).map(|f| (f.code, name(f))).collect();
        let expected = [
            ("invalid-rule", "broken.sql"),
            ("invalid-rule", "no_select.sql"),
            ("invalid-rule", "local.toml"),
            ("does-not-plan", "unplanned.sql"),
        ];
        assert_eq!((rules, errors), (4, expected.map(|(code, file)| (code, file.to_owned())).to_vec()));
        assert!(found.iter().any(|f| f.code == "no-test" && name(f) == "untested.sql"), "{found:?}");
    }

    #[test]
    fn a_fault_is_placed_in_the_file_that_caused_it() {
        let tables = Pack::load(&repo().sql()).unwrap();
        let windowed = |window: &str| {
            format!(
                "SELECT source AS key, window, total AS value, 1.0 AS expected, 1.0 AS score FROM\n  (SELECT source, \
                 tumble({window}) AS window, sum(value) AS total FROM events GROUP BY source, window) AS m"
            )
        };
        let event = |condition: &str| {
            format!(
                "SELECT series AS key, event_time, value, 1.0 AS expected, 1.0 AS score FROM events\nWHERE {condition}"
            )
        };
        let cases = [
            (windowed("INTERVAL '1 month'"), (8, 19), "use days"),
            (windowed("INTERVAL '0 seconds'"), (8, 19), "above zero"),
            (windowed("INTERVAL '-5 minutes'"), (8, 19), "above zero"),
            (event("event ->> 'p' > 20"), (8, 7), "TRY_CAST(event ->> 'p' AS DOUBLE)"),
            (event("CAST(event ->> 'p' AS DOUBLE) > event ->> 'q'"), (8, 12), "TRY_CAST(event ->> 'q' AS DOUBLE)"),
            (event("event -> 'a' > 10"), (8, 7), "->> gives text"),
        ];
        for (body, place, hint) in cases {
            let header = "-- name = \"r\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n";
            let rule = Rule::parse(Path::new("r.sql"), &format!("{header}{body}")).unwrap();
            let pack = Pack { rules: vec![rule], ..tables.clone() };
            let findings = of_pack(&repo().root, &pack, &Environment::default(), 1000);
            let refused = findings.iter().find(|f| f.code == "does-not-plan").unwrap_or_else(|| panic!("{body}"));
            assert_eq!(refused.file, Path::new("r.sql"), "{body}: {refused}");
            assert_eq!((refused.line, refused.column), place, "{body}: {refused}");
            assert!(refused.hint.as_ref().is_some_and(|h| h.contains(hint)), "{body}: {refused}");
        }
    }

    #[test]
    fn each_template_is_a_rule_once_it_has_a_name() {
        let mut seen = 0;
        let files = fs::read_dir(repo().sql().join("templates")).unwrap().map(|file| file.unwrap().path());
        for file in files.filter(|file| file.extension().is_some_and(|e| e == "sql")) {
            let text = fs::read_to_string(&file).unwrap().replace("rule_name", "mine");
            let rule = Rule::parse(Path::new("mine.sql"), &text).unwrap();
            let pack = Pack { rules: vec![rule], ..Pack::load(&repo().sql()).unwrap() };
            let findings = of_pack(&repo().root, &pack, &Environment::default(), 1000);
            let codes: Vec<&str> = findings.iter().filter(|f| f.level > Level::Info).map(|f| f.code).collect();
            // What only its author can write.
            let left: Vec<&&str> = codes.iter().filter(|c| !["no-test", "runbook-not-found"].contains(c)).collect();
            assert!(left.is_empty(), "{}: {findings:?}", file.display());
            seen += 1;
        }
        assert!(seen >= 5, "{seen}");
    }

    #[tokio::test]
    async fn an_arroyo_is_asked_with_its_key() {
        let text = "-- name = \"r\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n\
            SELECT source AS key, event_time, value, 1.0 AS score FROM events -- #refused";
        let good = Rule::parse(Path::new("r.sql"), &text.replace("#refused", "")).unwrap();
        let bad = Rule::parse(Path::new("r.sql"), text).unwrap();
        let pack = |rule| Pack {
            tables_file: "tables.sql".into(),
            tables: String::new(),
            streams: Vec::new(),
            rules: vec![rule],
        };
        let stand_in = StandIn::start(Options { key: Some("secret".to_owned()), ..Options::default() }).await;
        let client = |key: &str| Client::new(stand_in.url(), Some(key.to_owned()), Timing::default()).unwrap();
        let sql = repo().sql();

        let environment = Environment::default();
        assert_eq!(ask_arroyo(&client("secret"), &sql, &pack(good), &environment).await.unwrap(), []);
        let findings = ask_arroyo(&client("secret"), &sql, &pack(bad.clone()), &environment).await.unwrap();
        let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["r.sql: error[refused-by-arroyo]: Error during planning: table 'nothing' not found"]);
        assert!(ask_arroyo(&client("wrong"), &sql, &pack(bad), &environment).await.is_err());
    }
}
