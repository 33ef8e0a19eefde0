//! From a folder of rules to a program, for every command that needs one.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use weir_engine::{Mismatches, PlanOptions};
use weir_rules::{Environment, Pack, Program, RuleError, compile_for};
use weir_stream::{did_you_mean, nearest};

use crate::{engine::EngineKind, repo::Repo};

/// Which environment, and what is set beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct EnvironmentOptions {
    /// The environment: a file below sql/environments, without .toml. The project's own default, or `local`, without it
    #[cfg_attr(feature = "clap", arg(long = "env", value_name = "NAME"))]
    pub environment: Option<String>,
    /// Sets a parameter of a rule, over the environment's own
    #[cfg_attr(feature = "clap", arg(long = "set", value_name = "RULE.PARAMETER=VALUE"))]
    pub set: Vec<String>,
}

impl EnvironmentOptions {
    /// The environment's name: the project's default where none was given.
    #[must_use]
    pub fn name<'a>(&'a self, repo: &'a Repo) -> &'a str {
        self.environment.as_deref().unwrap_or(&repo.manifest().environment)
    }

    /// Reads the environment, with what `--set` changes in it.
    ///
    /// # Errors
    /// When its file cannot be read, or it or an assignment does not fit the rules.
    pub fn load(&self, repo: &Repo, pack: &Pack) -> Result<Environment> {
        let (environment, faults) = self.load_beside(repo, pack, &[])?;
        if faults.is_empty() { Ok(environment) } else { Err(joined(faults)) }
    }

    /// The same, with its faults beside it, where some rules of the pack could not be read: what is set of those is neither
    /// right nor wrong.
    ///
    /// # Errors
    /// When its file cannot be read, or an assignment does not fit the rules.
    pub fn load_beside(&self, repo: &Repo, pack: &Pack, unread: &[RuleError]) -> Result<(Environment, Vec<RuleError>)> {
        let name = self.name(repo);
        let file = repo.sql().join("environments").join(format!("{name}.toml"));
        // A project without environments has the usual one.
        let text = if name == "local" && !repo.sql().join("environments").exists() {
            String::new()
        } else {
            fs::read_to_string(&file).with_context(|| {
                let hint = match other_environment(&file) {
                    Some(name) => format!("did you mean --env {name}?"),
                    None => format!("--env names a file below {}/environments", repo.manifest().sql.display()),
                };
                format!("{} cannot be read\n  hint: {hint}", file.display())
            })?
        };
        let unread = |rule: &str| unread.iter().any(|fault| fault.file.file_stem().is_some_and(|name| name == rule));
        let (mut environment, mut faults) = match Environment::parse(&file, &text) {
            Ok(environment) => (environment, Vec::new()),
            Err(fault) => (Environment::default(), vec![fault]),
        };
        let sections = [
            ("parameters", environment.parameters.keys().collect::<Vec<_>>()),
            ("rules", environment.rules.keys().collect()),
        ];
        let streams = environment.streams.declared.keys();
        let known = |name: &String| pack.streams.iter().any(|stream| stream.declaration.name == *name);
        for name in streams.filter(|name| !known(name) && !unread(name)) {
            let names: Vec<&str> = pack.streams.iter().map(|stream| stream.declaration.name.as_str()).collect();
            faults.push(RuleError {
                file: file.clone(),
                line: 0,
                column: 0,
                message: format!("there is no stream `{name}`"),
                hint: Some(if names.is_empty() {
                    format!("[streams.NAME] names a file below {}/streams", repo.manifest().sql.display())
                } else {
                    did_you_mean(name, names)
                }),
            });
        }
        for (section, rules) in sections {
            for rule in rules.into_iter().filter(|rule| pack.rule(rule).is_none() && !unread(rule)) {
                faults.push(RuleError {
                    file: file.clone(),
                    line: 0,
                    column: 0,
                    message: format!("there is no rule `{rule}`"),
                    hint: Some(format!("[{section}.RULE] names a file below {}/rules", repo.manifest().sql.display())),
                });
            }
        }
        for assignment in self.set.iter().filter(|set| !set.split('.').next().is_some_and(&unread)) {
            set(&mut environment, pack, assignment)?;
        }
        Ok((environment, faults))
    }
}

/// Refuses an environment that the project does not have; `option` named it.
///
/// # Errors
/// When there is no such file, with what it may have been meant to be.
pub fn check_environment(repo: &Repo, name: &str, option: &str) -> Result<()> {
    let folder = repo.sql().join("environments");
    let file = folder.join(format!("{name}.toml"));
    // A project without environments has the usual one.
    if file.is_file() || (name == "local" && !folder.exists()) {
        return Ok(());
    }
    let hint = match other_environment(&file) {
        Some(other) => format!("did you mean {option} {other}?"),
        None => format!("{option} names a file below {}/environments", repo.manifest().sql.display()),
    };
    bail!("there is no environment `{name}`\n  hint: {hint}")
}

/// The environment beside this file whose name is most like its own.
fn other_environment(file: &Path) -> Option<String> {
    let name = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let beside = fs::read_dir(file.parent()?).ok()?.flatten().map(|entry| entry.path());
    let known: Vec<String> =
        beside.filter(|path| path.extension().is_some_and(|e| e == "toml")).filter_map(name).collect();
    nearest(&name(file.to_owned())?, known.iter().map(String::as_str)).map(str::to_owned)
}

/// Sets one parameter: `RULE.PARAMETER=VALUE`.
///
/// # Errors
/// When that is no assignment, or there is no such rule or parameter, or the value is not of its type.
pub fn set(environment: &mut Environment, pack: &Pack, assignment: &str) -> Result<()> {
    let parts = assignment.split_once('=').and_then(|(name, value)| Some((name.split_once('.')?, value)));
    let ((rule_name, name), value) =
        parts.with_context(|| format!("`{assignment}` is no assignment\n  hint: --set zscore.deviations=6"))?;
    let rule = pack.rule(rule_name).with_context(|| {
        let known = pack.rules.iter().map(|rule| rule.header.name.as_str());
        format!("there is no rule `{rule_name}`\n  hint: {}", did_you_mean(rule_name, known))
    })?;
    let known = || did_you_mean(name, rule.header.parameters.keys().map(String::as_str));
    let parameter = rule
        .header
        .parameters
        .get(name)
        .with_context(|| format!("rule `{rule_name}` has no parameter `{name}`\n  hint: {}", known()))?;
    let value = parameter.parse(value).map_err(|e| anyhow!("{rule_name}.{name}: {e}"))?;
    environment.parameters.entry(rule_name.to_owned()).or_default().insert(name.to_owned(), value);
    Ok(())
}

/// Reads the rules below a folder.
///
/// # Errors
/// Every fault of the rules, one a line.
pub fn load_pack(sql: &Path) -> Result<Pack> {
    Pack::load(sql).map_err(joined)
}

/// Reads and compiles the rules below a folder, for an engine.
///
/// # Errors
/// Every fault of the rules, one a line.
pub fn compile_pack(sql: &Path, environment: &Environment, engine: EngineKind) -> Result<Program> {
    compile_for(&load_pack(sql)?, environment, engine.target()).map_err(joined)
}

/// How programs are planned: with the functions of `sql/udfs` that were compiled in.
pub fn plan_options() -> PlanOptions {
    PlanOptions { udfs: weir_udfs::udfs(), ..PlanOptions::default() }
}

/// How rules are planned: their authors are told where they compare text with a number.
pub fn rule_plan_options() -> PlanOptions {
    PlanOptions { mismatches: Mismatches::Refuse, ..plan_options() }
}

/// Refuses to go on when a function of `sql/udfs` is not, or not as it stands there, in this build of `weir`.
///
/// # Errors
/// Names each such function, one a line.
pub fn check_udfs(sql: &Path) -> Result<()> {
    match udf_faults(sql) {
        faults if faults.is_empty() => Ok(()),
        faults => Err(joined(faults)),
    }
}

/// The functions of `sql/udfs` that are not, or not as they stand there, in this build.
pub fn udf_faults(sql: &Path) -> Vec<RuleError> {
    let fault = |file: PathBuf| RuleError {
        file,
        line: 0,
        column: 0,
        message: "this weir was built without it, or from another text".to_owned(),
        hint: Some("functions are compiled in: build weir again".to_owned()),
    };
    weir_udfs::not_compiled_in(&sql.join("udfs")).into_iter().map(fault).collect()
}

/// Every fault in one message, as an author wants to see them.
pub fn joined(errors: Vec<RuleError>) -> anyhow::Error {
    let mut text = String::new();
    for error in &errors {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = write!(text, "{error}");
    }
    anyhow!(text)
}
