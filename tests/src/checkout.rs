//! A copy of what `weir deploy` needs of the checkout.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A copy, so that a test shares no Terraform state with a person's own. Its environment is `e2e`.
#[derive(Debug)]
pub struct Checkout {
    folder: tempfile::TempDir,
}

impl Checkout {
    /// With an environment `e2e`: the local sizes and these further ones.
    ///
    /// # Errors
    /// When files cannot be copied.
    pub fn new(further: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        for part in ["dist", "scripts", "sql", "terraform"] {
            copy(&super::repo().join(part), &folder.path().join(part))?;
        }
        let environments = folder.path().join("sql/environments");
        fs::copy(environments.join("dev.toml"), environments.join("e2e.toml"))?;
        let checkout = Self { folder };
        checkout.size(further)?;
        Ok(checkout)
    }

    /// The local sizes and these further ones, from now on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn size(&self, further: &str) -> io::Result<()> {
        let sizes = fs::read_to_string(super::repo().join("terraform/local.tfvars"))?;
        let own = "name_prefix = \"weir-e2e-deploy\"\nschedules_enabled = false\n";
        fs::write(self.file("terraform/e2e.tfvars"), format!("{sizes}{own}{further}"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Files and folders, without what commands leave behind: names that begin with a dot, and state.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        if shown.starts_with('.') || shown.contains(".tfstate") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(&name))?;
        } else {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}
