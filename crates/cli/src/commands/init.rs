//! `weir init`: a project of one's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use weir_project::{
    files::{NewFile, write_new},
    library::{Section, with_section},
    manifest,
    scaffold::{self, Example},
};

use super::streams::{AddCommand, first_rule, prepare};
use crate::target::Target;

/// Writes a project: rules with their tests, some days of records with faults in them, Terraform and a CI workflow
///
/// It asks nothing and needs no network. What is written passes `weir check` and `weir test`, and `weir backtest` finds the
/// faults. With --from, the stream is the sample's and so is the first rule. A README.md, a .gitignore and a workflow that are there are kept.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir init plant && cd plant && weir test\n  weir init shop --example web\n  weir init pumps --from records.jsonl"
)]
pub(crate) struct InitCommand {
    /// The folder, which is made where it is not there
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// What the rules and records are about
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    example: Example,
    /// Records of your own instead, as `weir streams add --from` takes them: a file, a folder, s3://BUCKET/PREFIX or
    /// kinesis://STREAM. It writes the stream's file and a rule on it
    #[arg(long, conflicts_with = "example", value_name = "SAMPLE")]
    from: Option<String>,
    /// What the sample's stream is called in rules; the sample's own name without it
    #[arg(long, requires = "from", value_name = "NAME")]
    stream: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// Files that people have in a repository before it is a project.
const KEPT: [&str; 3] = ["README.md", ".gitignore", ".github/workflows/weir.yml"];

pub(crate) async fn run(command: &InitCommand) -> Result<()> {
    let folder = &command.folder;
    // A sample that cannot be read leaves nothing behind.
    let own = match &command.from {
        Some(from) => Some(own_stream(command, from).await?),
        None => None,
    };
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let name = project_name(folder);
    let example = own.is_none().then_some(command.example);
    let mut files = scaffold::files(&name, example);
    files.extend(own.iter().flat_map(|own| own.files.clone()));
    let (kept, files) = sorted(folder, files)?;
    write_new(folder, &files)?;
    own.iter().flat_map(|own| &own.said).for_each(|line| eprintln!("{line}"));
    let about = example.map_or_else(String::new, |example| format!(" ({})", example.name()));
    eprintln!("wrote {} files of project `{name}`{about}", files.len());
    if !kept.is_empty() {
        eprintln!("kept as they are: {}", kept.join(", "));
    }
    let next = match own {
        Some(own) => own.next,
        None => {
            let data = files.iter().find(|file| file.path.starts_with("data"));
            let data = data.map_or_else(|| "data".to_owned(), |file| file.path.display().to_string());
            vec![
                format!(
                    "weir backtest --input {data} --as {} --labels labels/faults.json --plot plot.svg",
                    command.example.stream()
                ),
                "weir new my_first_rule --kind window".to_owned(),
            ]
        }
    };
    eprintln!("next:");
    if folder != Path::new(".") {
        eprintln!("  cd {}", quoted(&folder.display().to_string()));
    }
    eprintln!("  weir check && weir test");
    next.iter().for_each(|line| eprintln!("  {line}"));
    Ok(())
}

/// The stream of a sample: its own name, or the one that was given.
fn stream_name(command: &InitCommand, from: &str) -> Result<String> {
    if let Some(name) = &command.stream {
        return Ok(name.clone());
    }
    let last = from.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let stem = last.split('.').next().unwrap_or_default().to_lowercase();
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = name.trim_matches('_');
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        bail!("a stream cannot be called as {from} is\n  hint: --stream NAME gives it a name that rules read FROM");
    }
    Ok(name.to_owned())
}

/// The sample as it is named from the project's folder.
fn input_from(folder: &Path, from: &str) -> String {
    let path = Path::new(from);
    let absolute = if from.contains("://") || folder == Path::new(".") { None } else { path.canonicalize().ok() };
    quoted(&absolute.map_or_else(|| from.to_owned(), |path| path.display().to_string()))
}

/// A person's own stream in a new project.
struct Own {
    /// The stream's file, and a rule on it with its tests and its runbook.
    files: Vec<NewFile>,
    said: Vec<String>,
    /// The commands to try.
    next: Vec<String>,
}

async fn own_stream(command: &InitCommand, from: &str) -> Result<Own> {
    let stream = stream_name(command, from)?;
    let sample = AddCommand::from_sample(stream.clone(), from.to_owned(), command.target.clone());
    let file = Path::new("sql/streams").join(format!("{stream}.toml"));
    // Refused before anything is written.
    let prepared = prepare(&sample, &file).await?;
    let made = first_rule(&prepared.declaration, &prepared.rows);
    let runbook = with_section(None, &Section { name: made.name.clone(), text: made.runbook });
    // Of a stream without a sample, nothing can be made for a test.
    let tests = Some(made.tests).filter(|tests| !tests.is_empty());
    let tests = tests.map(|tests| NewFile::new(format!("sql/tests/{}.toml", made.name), tests));
    let mut files = vec![
        NewFile::new(format!("sql/streams/{stream}.toml"), prepared.toml),
        NewFile::new(format!("sql/rules/{}.sql", made.name), made.rule),
        NewFile::new("docs/runbooks.md", runbook),
    ];
    files.extend(tests);
    let input = input_from(&command.folder, from);
    // A file does not say when records arrived.
    let every = if prepared.rows.iter().any(|row| row.time.is_none()) { " --every 1s" } else { "" };
    let next = vec![
        format!("weir rows {stream} --input {input} --limit 20"),
        format!("weir backtest --input {input} --as {stream}{every} --plot plot.svg"),
    ];
    let mut said = prepared.said;
    said.push(format!("stream `{stream}`: sql/streams/{stream}.toml; a first rule on it: sql/rules/{}.sql", made.name));
    Ok(Own { files, said, next })
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = path.chars().all(|c| c.is_alphanumeric() || "/._-~".contains(c));
    if plain { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// What stays as it is, and what is written.
fn sorted(folder: &Path, files: Vec<NewFile>) -> Result<(Vec<String>, Vec<NewFile>)> {
    for mark in [manifest::FILE, "sql"] {
        if folder.join(mark).exists() {
            bail!(
                "{} is a project already: it has {mark}\n  hint: weir add RULE and weir new RULE add rules to it",
                folder.display()
            );
        }
    }
    let is_kept =
        |file: &NewFile| KEPT.iter().any(|kept| file.path == Path::new(kept)) && folder.join(&file.path).exists();
    let (kept, files): (Vec<NewFile>, Vec<NewFile>) = files.into_iter().partition(is_kept);
    Ok((kept.into_iter().map(|file| file.path.display().to_string()).collect(), files))
}

/// The folder's name, as AWS takes it as the first part of names.
fn project_name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = whole.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
    let name: String = name.join("-").chars().take(LONGEST_NAME).collect();
    let name = name.trim_end_matches('-');
    if name.starts_with(|c: char| c.is_ascii_lowercase()) { name.to_owned() } else { "weir".to_owned() }
}

/// The module's names have at most 20 letters of this one: those of IAM and of load balancers are short.
const LONGEST_NAME: usize = 20;

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_folders_name_becomes_the_first_part_of_names() {
        let root = tempfile::tempdir().unwrap();
        let named = |name: &str| {
            let folder = root.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            project_name(&folder)
        };
        assert_eq!(named("Plant 7_north"), "plant-7-north");
        assert_eq!(named("7"), "weir");
        assert_eq!(named("ä"), "weir");
        assert_eq!(named("a-very-long-name-of-a-folder"), "a-very-long-name-of");
    }

    #[test]
    fn a_folder_is_named_as_a_shell_takes_it() {
        assert_eq!(quoted("../plant-7"), "../plant-7");
        assert_eq!(quoted("Plant 7"), "'Plant 7'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[tokio::test]
    async fn a_project_is_not_written_over_and_a_readme_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("README.md"), "mine").unwrap();
        let arguments = ["weir", "init", folder.path().to_str().unwrap(), "--example", "web"];
        let crate::Command::Init(command) = crate::Cli::parse_from(arguments).command else { panic!("no init") };
        run(&command).await.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("README.md")).unwrap(), "mine");
        assert!(folder.path().join("sql/rules/slow_route.sql").is_file());
        let again = run(&command).await.unwrap_err().to_string();
        assert!(again.contains("is a project already: it has weir.toml"), "{again}");
    }

    #[test]
    fn a_stream_is_called_as_its_sample() {
        let named = |from: &str| {
            let arguments = ["weir", "init", "--from", from];
            let crate::Command::Init(command) = crate::Cli::parse_from(arguments).command else { panic!("no init") };
            stream_name(&command, from)
        };
        assert_eq!(named("../data/Pump-Readings.jsonl.gz").unwrap(), "pump_readings");
        assert_eq!(named("kinesis://shop-orders").unwrap(), "shop_orders");
        assert_eq!(named("s3://logs/vpc/").unwrap(), "vpc");
        assert!(named("2026.jsonl").unwrap_err().to_string().contains("--stream NAME"));
    }
}
