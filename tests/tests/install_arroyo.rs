//! `scripts/install-arroyo.sh`, with a `curl` that hands out a file in place of the network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use weir_tests::repo;

/// A checkout with nothing but the script, and programs of its own.
struct Checkout(tempfile::TempDir);

impl Checkout {
    /// `curl` copies the release, or says that there is no network.
    fn new(online: bool) -> Self {
        let checkout = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(checkout.file("scripts")).unwrap();
        for name in ["install-arroyo.sh", "arroyo.lock"] {
            fs::copy(repo().join("scripts").join(name), checkout.file("scripts").join(name)).unwrap();
        }
        fs::create_dir(checkout.file("release")).unwrap();
        program(&checkout.file("release/arroyo"), "echo arroyo 0.15.0");
        let packed = Command::new("tar")
            .args(["-czf", "release.tar.gz", "-C", "release", "arroyo"])
            .current_dir(checkout.0.path())
            .status();
        assert!(packed.unwrap().success());
        fs::create_dir(checkout.file("bin")).unwrap();
        let release = checkout.file("release.tar.gz");
        let curl = if online {
            format!("while [ \"$1\" != --output ]; do shift; done\ncp '{}' \"$2\"", release.display())
        } else {
            "echo 'curl: (6) Could not resolve host' >&2; exit 6".to_owned()
        };
        program(&checkout.file("bin/curl"), &curl);
        checkout
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What the script says, as text without the names of this machine's release.
    fn install(&self, arguments: &[&str], hash: Option<&str>) -> (Option<i32>, String) {
        let path = std::env::join_paths(
            std::iter::once(self.file("bin")).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let mut command = Command::new(self.file("scripts/install-arroyo.sh"));
        command.args(arguments).env("PATH", path.unwrap()).env_remove("ARROYO_SHA256").env_remove("ARROYO_RELEASES");
        command.envs(hash.map(|hash| ("ARROYO_SHA256", hash)));
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    fn hash(&self) -> String {
        let (code, said) = self.install(&["--lock"], None);
        assert_eq!(code, Some(0), "{said}");
        said.split_whitespace().last().unwrap().to_owned()
    }

    fn is_installed(&self) -> bool {
        self.file(".weir/bin/arroyo").exists()
    }
}

fn program(file: &Path, script: &str) {
    fs::write(file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_release_with_the_right_hash_is_installed() {
    let checkout = Checkout::new(true);
    let hash = checkout.hash();
    let (code, said) = checkout.install(&[], Some(&hash));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("export ARROYO_BIN={}\n", checkout.file(".weir/bin/arroyo").display())), "{said}");
    assert!(checkout.is_installed());
    // What was noted is what later runs demand.
    let (code, said) = checkout.install(&[], None);
    assert_eq!(code, Some(0), "{said}");
    let lock = fs::read_to_string(checkout.file("scripts/arroyo.lock")).unwrap();
    assert!(lock.starts_with('#') && lock.matches(&hash).count() == 1 && lock.lines().count() == 6, "{lock}");
}

#[test]
fn a_file_with_another_hash_is_not_installed() {
    let checkout = Checkout::new(true);
    // The lock that is shipped has the hash of the real release, which this file is not.
    let (code, said) = checkout.install(&[], None);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(": nothing is installed\nhint: somebody changed the file"), "{said}");
    let (code, said) = checkout.install(&[], Some("1234"));
    assert_eq!(
        (code, said.as_str()),
        (Some(1), "install-arroyo: `1234` is no SHA-256\nhint: it is 64 hex digits in lower case\n")
    );
    assert!(!checkout.is_installed());
}

#[test]
fn without_a_network_it_says_what_to_do() {
    let checkout = Checkout::new(false);
    let (code, said) = checkout.install(&[], None);
    assert_eq!(code, Some(1));
    assert!(said.contains(" cannot be downloaded\nhint: offline? copy an `arroyo` 0.15.0 here"), "{said}");
    assert!(!checkout.is_installed());
}
