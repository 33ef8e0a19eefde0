//! The folder that Terraform works in: `terraform/` itself, or a stand-in for it.
//!
//! An environment with a file `terraform/NAME.tfbackend` has a state of its own in S3, in its own bucket and account if need be.
//! Terraform takes the kind of a backend from the configuration only, and what stands in `terraform/` holds for the local stack
//! too. So such an environment gets a folder of links to all that is in `terraform/`, and beside them the backend.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use weir_project::Repo;

use super::infrastructure::data_folder;

/// All that can be said here; bucket, key and region are in the environment's file.
const BACKEND: &str = "terraform {\n  backend \"s3\" {}\n}\n";

/// The settings of the environment's own backend, where it has one.
pub(super) fn backend(repo: &Repo, environment: &str) -> Option<PathBuf> {
    let file = repo.terraform().join(format!("{environment}.tfbackend"));
    file.is_file().then_some(file)
}

/// Where Terraform is run for an environment.
pub(super) fn folder(repo: &Repo, environment: &str) -> PathBuf {
    match backend(repo, environment) {
        Some(_) => data_folder(repo, environment).join("work/terraform"),
        None => repo.terraform(),
    }
}

/// Makes that folder what `terraform/` now is.
pub(super) fn prepare(repo: &Repo, environment: &str) -> Result<()> {
    if backend(repo, environment).is_none() {
        return Ok(());
    }
    let folder = folder(repo, environment);
    links(repo, &folder).with_context(|| format!("{} cannot be made", folder.display()))
}

fn links(repo: &Repo, folder: &Path) -> io::Result<()> {
    let work = folder.parent().unwrap_or(folder);
    match fs::remove_dir_all(work) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(folder)?,
    }
    // The packages are named relative to the folder above.
    symlink(repo.root.join("dist"), work.join("dist"))?;
    for entry in fs::read_dir(repo.terraform())? {
        let entry = entry?;
        if is_configuration(&entry.file_name()) {
            symlink(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    fs::write(folder.join("backend_override.tf"), BACKEND)
}

/// Not what Terraform leaves behind: working files, locks, states. Nor a backend that stands there already.
fn is_configuration(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    !name.starts_with('.') && !name.contains(".tfstate") && name != "backend_override.tf"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_with_a_backend_of_its_own_works_beside_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::at(folder.path().to_owned()).unwrap();
        let terraform = folder.path().join("terraform");
        fs::create_dir_all(terraform.join("modules")).unwrap();
        fs::create_dir_all(terraform.join(".terraform")).unwrap();
        for name in ["main.tf", "dev.tfvars", "terraform.tfstate", "prod.tfbackend"] {
            fs::write(terraform.join(name), name).unwrap();
        }
        prepare(&repo, "dev").unwrap();
        assert_eq!(super::folder(&repo, "dev"), terraform);

        prepare(&repo, "prod").unwrap();
        fs::remove_file(terraform.join("dev.tfvars")).unwrap();
        prepare(&repo, "prod").unwrap();
        let own = super::folder(&repo, "prod");
        let mut names: Vec<String> =
            fs::read_dir(&own).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["backend_override.tf", "main.tf", "modules", "prod.tfbackend"]);
        assert_eq!(fs::read_to_string(own.join("main.tf")).unwrap(), "main.tf");
        assert!(!terraform.join("backend_override.tf").exists(), "the local stack has no backend");
    }
}
