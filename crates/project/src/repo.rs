//! The checkout that a command works in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A checkout of Weir, or a project of the same layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    /// The folder that holds `sql` and `terraform`.
    pub root: PathBuf,
}

impl Repo {
    /// The nearest folder, from the working directory up, that holds `sql/tables.sql` or `sql/rules`.
    ///
    /// # Errors
    /// When there is none.
    pub fn find() -> Result<Self> {
        let here = std::env::current_dir().context("the working directory")?;
        let is_project = |folder: &&Path| folder.join("sql/tables.sql").is_file() || folder.join("sql/rules").is_dir();
        let root = here.ancestors().find(is_project);
        let root = root
            .context("no sql/rules here or above\n  hint: run this inside a project of rules, or a checkout of Weir")?;
        Ok(Self { root: root.to_owned() })
    }

    /// Tables, rules, tests and environments.
    pub fn sql(&self) -> PathBuf {
        self.root.join("sql")
    }

    /// What a local stack keeps.
    pub fn stack_folder(&self, name: &str) -> PathBuf {
        self.root.join(".weir").join(Path::new(name))
    }
}
