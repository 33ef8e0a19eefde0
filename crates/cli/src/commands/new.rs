//! `weir new`: a rule and its tests from a template, ready to be changed.

use std::path::{Path, PathBuf};

use anyhow::Result;
use weir_project::{
    Repo,
    files::{NewFile, write_new},
};
use weir_rules::Rule;

/// What stands for the rule's name in a template.
const NAME: &str = "rule_name";

/// Writes a new rule and its tests, which pass as they are
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir new oven_too_hot --kind window && weir check && weir test oven_too_hot")]
pub(crate) struct NewCommand {
    /// The rule's name: lower-case letters, digits and `_`
    #[arg(value_name = "RULE")]
    name: String,
    /// What the rule looks at
    #[arg(long, value_enum, default_value_t = Kind::Window)]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Each event by itself, against limits
    Event,
    /// A mean over windows that follow one another, against a limit
    Window,
    /// The newest reading against the window before it
    Deviation,
    /// The number of events of a source in a window
    Count,
    /// Events close together, as one session
    Session,
    /// A source that falls silent
    Silence,
}

impl Kind {
    /// The rule and its tests.
    fn template(self) -> (&'static str, &'static str) {
        macro_rules! template {
            ($name:literal) => {
                (
                    include_str!(concat!("../../../../sql/templates/", $name, ".sql")),
                    include_str!(concat!("../../../../sql/templates/", $name, ".toml")),
                )
            };
        }
        match self {
            Self::Event => template!("event"),
            Self::Window => template!("window"),
            Self::Deviation => template!("deviation"),
            Self::Count => template!("count"),
            Self::Session => template!("session"),
            Self::Silence => template!("silence"),
        }
    }
}

pub(crate) fn run(command: &NewCommand) -> Result<()> {
    let sql = Repo::find()?.sql();
    let (rule, tests) = write(&sql, &command.name, command.kind)?;
    let here = std::env::current_dir().unwrap_or_default();
    let near = |file: &Path| file.strip_prefix(&here).unwrap_or(file).display().to_string();
    eprintln!("wrote {} and {}", near(&rule), near(&tests));
    eprintln!("next: weir check; weir test {0}; weir backtest --rules {0} --input FILE --plot plot.svg", command.name);
    Ok(())
}

/// Writes both files; a file that is there is never overwritten.
fn write(sql: &Path, name: &str, kind: Kind) -> Result<(PathBuf, PathBuf)> {
    let (rule, tests) = kind.template();
    let rule_file = sql.join("rules").join(format!("{name}.sql"));
    let tests_file = sql.join("tests").join(format!("{name}.toml"));
    let text = rule.replace(NAME, name);
    // A name that is none is refused before anything is written.
    Rule::parse(&rule_file, &text)?;
    // The tests first: a reader who finds the rule finds its tests.
    let below = |file: &Path| file.strip_prefix(sql).unwrap_or(file).to_owned();
    write_new(sql, &[NewFile::new(below(&tests_file), tests), NewFile::new(below(&rule_file), text)])?;
    Ok((rule_file, tests_file))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use weir_project::compile::load_pack;

    #[tokio::test]
    async fn every_template_passes_its_tests() {
        for kind in Kind::value_variants() {
            let sql = tempfile::tempdir().unwrap();
            let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/tables.sql");
            std::fs::copy(tables, sql.path().join("tables.sql")).unwrap();
            let (_, tests) = write(sql.path(), "a_rule", *kind).unwrap();
            let pack = load_pack(sql.path()).unwrap();
            let failed = weir_ruletest::failures(pack, "a_rule", tests).await;
            assert!(failed.is_empty(), "{kind:?}: {failed:?}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_a_bad_name_writes_nothing() {
        let sql = tempfile::tempdir().unwrap();
        write(sql.path(), "a_rule", Kind::Event).unwrap();
        let before = std::fs::read_to_string(sql.path().join("rules/a_rule.sql")).unwrap();
        assert!(write(sql.path(), "a_rule", Kind::Count).unwrap_err().to_string().contains("nothing is overwritten"));
        assert_eq!(std::fs::read_to_string(sql.path().join("rules/a_rule.sql")).unwrap(), before);
        assert!(write(sql.path(), "../Rule", Kind::Event).unwrap_err().to_string().contains("is no rule name"));
        assert_eq!(std::fs::read_dir(sql.path().join("tests")).unwrap().count(), 1);
    }
}
