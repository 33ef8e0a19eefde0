//! What comes with the command besides its own file: the Terraform module, the scripts of the local emulator, the packages of the
//! Lambdas. A release has them where `install.sh` unpacks it, in lib/weir/VERSION; a checkout of Weir is itself all that.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::{repo::Repo, version::Version};

/// The hashes of a release's files, which it carries.
const SUMS: &str = "SHA256SUMS";
/// The command's own file: what it says of itself proves nothing, and it is by far the largest.
const COMMAND: &str = "bin/weir";
/// Digits of a release's hash in the name of its folder for working files.
const HASH_DIGITS: usize = 8;

/// A release as it was installed, or a checkout of Weir.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    root: PathBuf,
    /// Of a release, the beginning of the hash of its hashes.
    release: Option<String>,
}

impl Distribution {
    /// The checkout, where the project is one; else what lies beside the command that runs.
    ///
    /// # Errors
    /// When the command stands alone, or a file of its release is not what its hash says.
    pub fn find(repo: &Repo) -> Result<Self> {
        let command = env::current_exe().and_then(|path| path.canonicalize());
        Self::beside(&repo.root, &command.context("the path of the weir command")?)
    }

    fn beside(project: &Path, command: &Path) -> Result<Self> {
        if is_checkout(project) {
            return Ok(Self { root: project.to_owned(), release: None });
        }
        // Either bin/weir of a release, or target/PROFILE/weir of a checkout.
        if let Some(root) = command.ancestors().nth(2).filter(|root| is_release(root)) {
            return Ok(Self { root: root.to_owned(), release: Some(checked(root)?) });
        }
        if let Some(root) = command.ancestors().skip(1).find(|folder| is_checkout(folder)) {
            return Ok(Self { root: root.to_owned(), release: None });
        }
        bail!(
            "{} stands alone: the Terraform module, the emulator's scripts and the packages of the Lambdas are not beside it\n  \
             hint: install.sh {} puts a release in place, with all of these",
            command.display(),
            Version::own()
        );
    }

    /// Whether it is a checkout, in which packages are built; a release has them.
    #[must_use]
    pub fn is_checkout(&self) -> bool {
        self.release.is_none()
    }

    /// Where it lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// One of its scripts.
    #[must_use]
    pub fn script(&self, name: &str) -> PathBuf {
        self.root.join("scripts").join(name)
    }

    /// The Terraform module. Nothing is written there: a release may be installed for everybody.
    #[must_use]
    pub fn terraform(&self) -> PathBuf {
        self.root.join("terraform")
    }

    /// The packages of the Lambdas for AWS; in `local` those that this machine runs.
    #[must_use]
    pub fn packages(&self) -> PathBuf {
        self.root.join(if self.is_checkout() { "dist" } else { "lambda" })
    }

    /// Where it keeps what it makes for itself: a release a folder of its own version among a person's caches, a checkout `.weir`.
    #[must_use]
    pub fn working_folder(&self, repo: &Repo) -> PathBuf {
        let Some(hash) = &self.release else { return self.root.join(".weir") };
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        // https://specifications.freedesktop.org/basedir-spec/latest/: a relative path is to be ignored.
        let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        let caches = caches.map_or_else(|| repo.root.join(".weir/cache"), |caches| caches.join("weir"));
        caches.join(format!("{}-{hash}", Version::own()))
    }
}

fn is_checkout(folder: &Path) -> bool {
    ["scripts/local-aws.sh", "scripts/package-lambda.sh", "terraform/modules"]
        .iter()
        .all(|part| folder.join(part).exists())
}

fn is_release(folder: &Path) -> bool {
    [SUMS, "scripts/local-aws.sh", "terraform/modules"].iter().all(|part| folder.join(part).exists())
}

/// Whether every file of a release is what its hash says; the beginning of the hash of all hashes.
fn checked(root: &Path) -> Result<String> {
    let sums = root.join(SUMS);
    let text = fs::read_to_string(&sums).with_context(|| format!("{} cannot be read", sums.display()))?;
    for line in text.lines() {
        // As sha256sum writes it: the hash, a blank, a blank or an asterisk, the file.
        let Some((hash, file)) = line.split_once(' ').and_then(|(hash, file)| Some((hash, file.get(1..)?))) else {
            bail!("{}: `{line}` is no line of it\n  hint: install the release again", sums.display());
        };
        if file == COMMAND {
            continue;
        }
        let file = root.join(file);
        let found = hash_of(&file)
            .with_context(|| format!("{} cannot be read\n  hint: install the release again", file.display()))?;
        if found != hash {
            bail!("{} is not what {SUMS} says\n  hint: install the release again", file.display());
        }
    }
    Ok(hex(&Sha256::digest(&text)).chars().take(HASH_DIGITS).collect())
}

fn hash_of(file: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut fs::File::open(file)?, &mut hash)?;
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    const PARTS: [&str; 4] = ["bin/weir", "scripts/local-aws.sh", "terraform/modules/a.tf", "lambda/gate.zip"];

    fn release() -> tempfile::TempDir {
        let folder = made(&PARTS);
        let sums: Vec<String> =
            PARTS.iter().map(|file| format!("{}  {file}\n", hash_of(&folder.path().join(file)).unwrap())).collect();
        fs::write(folder.path().join(SUMS), sums.concat()).unwrap();
        folder
    }

    #[test]
    fn a_release_is_found_beside_its_command_and_checked() {
        let (project, release) = (made(&["weir.toml"]), release());
        let command = release.path().join("bin/weir");
        let find = || Distribution::beside(project.path(), &command).map_err(|error| format!("{error:#}"));
        let found = find().unwrap();
        assert!(!found.is_checkout());
        assert_eq!(found.packages(), release.path().join("lambda"));
        // The command itself is not read.
        fs::write(&command, "another").unwrap();
        assert_eq!(find().unwrap(), found);
        fs::write(release.path().join("lambda/gate.zip"), "another").unwrap();
        assert!(find().unwrap_err().contains("gate.zip is not what SHA256SUMS says\n  hint: install"));
        fs::remove_file(release.path().join("lambda/gate.zip")).unwrap();
        assert!(find().unwrap_err().contains("gate.zip cannot be read\n  hint: install"));
        fs::write(release.path().join(SUMS), "nonsense").unwrap();
        assert!(find().unwrap_err().contains("`nonsense` is no line of it"));
    }

    #[test]
    fn a_checkout_is_the_projects_own_or_the_commands() {
        let (project, alone) = (made(&["weir.toml"]), made(&["bin/weir"]));
        let checkout =
            made(&["scripts/local-aws.sh", "scripts/package-lambda.sh", "terraform/modules/a.tf", "target/debug/weir"]);
        let release = release();
        let find = |project: &Path, command: &Path| Distribution::beside(project, command);
        let own = find(checkout.path(), &release.path().join("bin/weir")).unwrap();
        assert_eq!((own.root(), own.is_checkout()), (checkout.path(), true), "who works on Weir tries what is there");
        let beside = find(project.path(), &checkout.path().join("target/debug/weir")).unwrap();
        assert_eq!((beside.root(), beside.packages()), (checkout.path(), checkout.path().join("dist")));
        let said = find(project.path(), &alone.path().join("bin/weir")).unwrap_err().to_string();
        assert!(said.contains("stands alone") && said.contains("hint: install.sh 0."), "{said}");
    }
}
