//! Lints: what a rule's text shows to be wrong or costly, although it compiles. `docs/check.md` lists them for people.

mod allow;
mod guard;
mod header;
mod join;
mod number;
mod runbook;
mod select;
mod text;
mod window;

use std::{fmt, path::Path, path::PathBuf};

use serde::Serialize;

use crate::{Environment, Pack, Rule, RuleError};

pub(crate) use number::integer_divisions;
use text::Body;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Most likely wrong, or costly.
    Warning,
    /// Cannot run, or breaks a guarantee.
    Error,
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check, in kebab-case: what `-- weir: allow(code)` names.
    pub code: &'static str,
    /// How much it matters.
    pub level: Level,
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 when it is of the whole file.
    pub line: usize,
    /// Column in characters, from 1; 0 when it is of the whole line.
    pub column: usize,
    /// What is wrong, lower case, without a final period.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a lint may take for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LintOptions<'a> {
    /// The folder that runbooks are named from, and that holds `sql/tests`.
    pub root: &'a Path,
    /// How many keys a rule is assumed to see.
    pub keys: u64,
}

/// The codes that lints have; each may be allowed but `bad-allow`.
pub const LINTS: [&str; 18] = [
    allow::BAD_ALLOW,
    guard::FAILS_ON_A_ROW,
    guard::NULL_BELOW_ZERO,
    guard::NULL_ON_ERROR,
    header::DUPLICATE_NAME,
    header::MISSING_OWNER,
    header::MISSING_RUNBOOK,
    header::NO_EXPECTED,
    header::NO_TEST,
    header::POLICY_CANNOT_APPLY,
    header::UNUSED_PARAMETER,
    join::UNWINDOWED_JOIN,
    number::DIVISION_BY_ZERO,
    number::SCORE_OUT_OF_RANGE,
    runbook::RUNBOOK_NOT_FOUND,
    select::NON_DETERMINISTIC,
    window::LARGE_STATE,
    window::WINDOW_EXCEEDS_RETENTION,
];

/// What can be said against the rules of a pack, rule by rule in the order of lines. What a rule allows is left out.
#[must_use]
pub fn lint(pack: &Pack, environment: &Environment, options: &LintOptions<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, rule) in pack.rules.iter().enumerate() {
        let earlier = pack.rules.get(..index).unwrap_or_default();
        let mut found = of_rule(rule, earlier, environment, options);
        allow::apply(rule, &mut found);
        found.sort_by_key(|finding| (finding.line, finding.column));
        findings.extend(found);
    }
    findings
}

fn of_rule(rule: &Rule, earlier: &[Rule], environment: &Environment, options: &LintOptions<'_>) -> Vec<Finding> {
    let mut findings = header::lint(rule, earlier, options.root);
    findings.extend(runbook::lint(rule, options.root));
    // A rule that does not parse is no lint's business: compiling it says so.
    if let Some(body) = Body::read(rule, environment) {
        findings.extend(select::lint(&body));
        findings.extend(guard::lint(&body));
        findings.extend(join::lint(&body));
        findings.extend(number::lint(&body));
        findings.extend(window::lint(&body, environment, options.keys));
    }
    findings
}

impl Finding {
    /// A finding of a rule's file, without a hint.
    fn new(code: &'static str, level: Level, rule: &Rule, (line, column): (usize, usize), message: String) -> Self {
        Self { code, level, file: rule.file.clone(), line, column, message, hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A fault that another part found.
    #[must_use]
    pub fn of_error(code: &'static str, error: RuleError) -> Self {
        let RuleError { file, line, column, message, hint } = error;
        Self { code, level: Level::Error, file, line, column, message, hint }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// `file:line:column: level[code]: message`, and the hint on a line of its own.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = RuleError {
            file: self.file.clone(),
            line: self.line,
            column: self.column,
            message: format!("{}[{}]: {}", self.level, self.code, self.message),
            hint: self.hint.clone(),
        };
        error.fmt(f)
    }
}
