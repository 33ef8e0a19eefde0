//! `weir init`: a project of one's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use weir_project::{
    files::{NewFile, write_new},
    manifest,
    scaffold::{self, Example},
};

/// Writes a project: rules with their tests, some days of records with faults in them, Terraform and a CI workflow
///
/// It asks nothing and needs no network. What is written passes `weir check` and `weir test`, and `weir backtest` finds the
/// faults. A README.md, a .gitignore and a workflow that are there are kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir init plant && cd plant && weir test\n  weir init shop --example web")]
pub(crate) struct InitCommand {
    /// The folder, which is made where it is not there
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// What the rules and records are about
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    example: Example,
}

/// Files that people have in a repository before it is a project.
const KEPT: [&str; 3] = ["README.md", ".gitignore", ".github/workflows/weir.yml"];

pub(crate) fn run(command: &InitCommand) -> Result<()> {
    let folder = &command.folder;
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let name = project_name(folder);
    let (kept, files) = sorted(folder, scaffold::files(&name, command.example))?;
    write_new(folder, &files)?;
    let data = files.iter().find(|file| file.path.starts_with("data"));
    let data = data.map_or_else(|| "data".to_owned(), |file| file.path.display().to_string());
    eprintln!("wrote {} files of project `{name}` ({})", files.len(), command.example.name());
    if !kept.is_empty() {
        eprintln!("kept as they are: {}", kept.join(", "));
    }
    eprintln!("next:");
    if folder != Path::new(".") {
        eprintln!("  cd {}", quoted(&folder.display().to_string()));
    }
    eprintln!("  weir check && weir test");
    eprintln!("  weir backtest --input {data} --labels labels/faults.json --plot plot.svg");
    eprintln!("  weir new my_first_rule --kind window");
    Ok(())
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

    #[test]
    fn a_project_is_not_written_over_and_a_readme_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("README.md"), "mine").unwrap();
        let command = |folder: &Path| InitCommand { folder: folder.to_owned(), example: Example::Web };
        run(&command(folder.path())).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("README.md")).unwrap(), "mine");
        assert!(folder.path().join("sql/rules/slow_route.sql").is_file());
        let again = run(&command(folder.path())).unwrap_err().to_string();
        assert!(again.contains("is a project already: it has weir.toml"), "{again}");
    }
}
