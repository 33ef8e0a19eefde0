//! The project that a command works in.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use anyhow::{Context, Result, bail};

use crate::{
    manifest::{self, Manifest},
    version::Version,
};

/// A project: a folder with `weir.toml`, or with `sql` in the layout of one. Weir's own checkout is a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    /// The project's folder.
    pub root: PathBuf,
    manifest: Arc<Manifest>,
}

/// The folder that `--project` names, for the whole process.
static CHOSEN: OnceLock<PathBuf> = OnceLock::new();

/// What of `sql` makes a folder a project without `weir.toml`.
const PARTS: [&str; 3] = ["sql/tables.sql", "sql/rules", "sql/streams"];

impl Repo {
    /// Every later [`Repo::find`] of this process gives the project in this folder. What was chosen first stays.
    pub fn choose(root: PathBuf) {
        let _ = CHOSEN.set(root);
    }

    /// The project that was chosen, or that of the nearest folder from the working directory up.
    ///
    /// # Errors
    /// When there is none, its `weir.toml` is faulty, or it is written for another version of Weir.
    pub fn find() -> Result<Self> {
        let repo = Self::find_any()?;
        repo.check_version(Version::own())?;
        Ok(repo)
    }

    /// The same, whatever version it is written for.
    ///
    /// # Errors
    /// When there is none, or its `weir.toml` is faulty.
    pub fn find_any() -> Result<Self> {
        Self::look()?.with_context(|| {
            "there is no project here or above: neither weir.toml nor a folder sql with rules\n  hint: weir init makes one, --project DIR names one"
        })
    }

    /// The same; `None` where there is no project, and none was named.
    ///
    /// # Errors
    /// When its `weir.toml` is faulty, or what was named is no project.
    pub fn look() -> Result<Option<Self>> {
        if let Some(root) = CHOSEN.get() {
            if !root.is_dir() {
                bail!("--project {}: there is no such folder", root.display());
            }
            if !is_project(root) {
                bail!(
                    "--project {0}: this is no project: it has neither weir.toml nor a folder sql with rules\n  hint: weir init {0} makes one",
                    root.display()
                );
            }
            let root = root.canonicalize().with_context(|| format!("{} cannot be read", root.display()))?;
            return Self::at(root).map(Some);
        }
        let here = std::env::current_dir().context("the working directory")?;
        here.ancestors().find(|folder| is_project(folder)).map(|root| Self::at(root.to_owned())).transpose()
    }

    /// The project of a folder, whether or not it has a `weir.toml`.
    ///
    /// # Errors
    /// When its `weir.toml` is faulty, or names a folder that is not there.
    pub fn at(root: PathBuf) -> Result<Self> {
        let manifest = Manifest::read(&root)?.unwrap_or_default();
        let default = Manifest::default();
        // The default folder may come later.
        if manifest.sql != default.sql && !root.join(&manifest.sql).is_dir() {
            bail!(
                "{}: there is no folder `{}`\n  hint: paths.sql names where streams, rules, tests and environments lie",
                root.join(manifest::FILE).display(),
                manifest.sql.display()
            );
        }
        Ok(Self { root, manifest: Arc::new(manifest) })
    }

    fn check_version(&self, own: Version) -> Result<()> {
        let Some(wanted) = self.manifest.weir.filter(|wanted| !wanted.is_served_by(own)) else { return Ok(()) };
        let file = self.root.join(manifest::FILE);
        if wanted.is_newer_than(own) {
            bail!(
                "{}: this project is written for Weir {wanted}, and this is {own}\n  hint: install.sh {} gets the version that it wants",
                file.display(),
                wanted.whole()
            );
        }
        bail!(
            "{}: this project is written for Weir {wanted}, and this is {own}, which may mean other things by the same words\n  hint: read CHANGELOG.md, then write weir = \"{own}\" there",
            file.display()
        );
    }

    /// What the project says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its name: the folder's where `weir.toml` gives none.
    #[must_use]
    pub fn name(&self) -> String {
        let folder =
            || self.root.file_name().map_or_else(|| "project".to_owned(), |n| n.to_string_lossy().into_owned());
        self.manifest.name.clone().unwrap_or_else(folder)
    }

    /// Tables, streams, rules, tests and environments.
    #[must_use]
    pub fn sql(&self) -> PathBuf {
        self.root.join(&self.manifest.sql)
    }

    /// Terraform's root.
    #[must_use]
    pub fn terraform(&self) -> PathBuf {
        self.root.join(&self.manifest.terraform)
    }

    /// What a local stack keeps.
    #[must_use]
    pub fn stack_folder(&self, name: &str) -> PathBuf {
        self.root.join(".weir").join(Path::new(name))
    }
}

fn is_project(folder: &Path) -> bool {
    // A `weir.toml` that cannot be read is a project with a fault.
    folder.join(manifest::FILE).exists() || PARTS.iter().any(|part| folder.join(part).exists())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn project(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(manifest::FILE), text).unwrap();
        folder
    }

    #[test]
    fn a_folder_is_a_project_by_its_file_or_by_its_rules() {
        assert!(is_project(project("").path()));
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_project(folder.path()));
        fs::create_dir_all(folder.path().join("sql/rules")).unwrap();
        assert!(is_project(folder.path()));
        assert_eq!(Repo::at(folder.path().to_owned()).unwrap().manifest(), &Manifest::default());
    }

    #[test]
    fn paths_and_name_are_the_files() {
        let folder = project("name = \"plant\"\n[paths]\nsql = \"rules\"\nterraform = \"infra\"\n");
        let missing = Repo::at(folder.path().to_owned()).unwrap_err().to_string();
        assert!(missing.contains("weir.toml: there is no folder `rules`"), "{missing}");
        fs::create_dir(folder.path().join("rules")).unwrap();
        let repo = Repo::at(folder.path().to_owned()).unwrap();
        assert_eq!(repo.sql(), folder.path().join("rules"));
        assert_eq!(repo.terraform(), folder.path().join("infra"));
        assert_eq!(repo.name(), "plant");
    }

    #[test]
    fn another_version_is_refused_with_what_to_do() {
        let folder = project("weir = \"0.3\"");
        let repo = Repo::at(folder.path().to_owned()).unwrap();
        let check = |own: &str| repo.check_version(own.parse().unwrap()).map_err(|error| error.to_string());
        check("0.3.4").unwrap();
        assert!(check("0.2.9").unwrap_err().ends_with("hint: install.sh 0.3.0 gets the version that it wants"));
        assert!(check("0.4.0").unwrap_err().contains("write weir = \"0.4.0\" there"));
    }
}
