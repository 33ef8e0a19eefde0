//! What `deny.toml` allows of dependencies, held against `Cargo.lock` as cargo reads it, without a network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

/// What this test reads of deny.toml.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    sources: Sources,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Entry>,
    skip: Vec<Entry>,
}

/// A package, by name or by name and version (`NAME@VERSION`), and why it is in a list.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "crate")]
    package: String,
    reason: String,
}

/// What this test reads of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    license: Option<String>,
    rust_version: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn deny() -> Deny {
    toml::from_str(&std::fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap()
}

/// The packages that come from elsewhere.
fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap();
    let asked = ["metadata", "--format-version", "1", "--locked", "--offline"];
    let output = Command::new(cargo).args(asked).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
    let packages: Vec<Package> = metadata.packages.into_iter().filter(|package| package.source.is_some()).collect();
    assert!(packages.len() > 100, "{} packages", packages.len());
    packages
}

#[test]
fn each_dependency_has_a_licence_that_is_allowed() {
    let allowed: Vec<Licensee> = deny().licenses.allow.iter().map(|text| Licensee::parse(text).unwrap()).collect();
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| {
            let Some(licence) = &package.license else { return true };
            let expression = Expression::parse_mode(licence, ParseMode::LAX).unwrap();
            !expression.evaluate(|wanted| allowed.iter().any(|licence| licence.satisfies(wanted)))
        })
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.license))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn each_dependency_comes_from_a_registry_that_is_allowed() {
    let allowed = deny().sources.allow_registry;
    for Package { name, source, .. } in packages() {
        let source = source.unwrap();
        let registry = source.strip_prefix("registry+").unwrap_or_else(|| panic!("{name} comes from {source}"));
        assert!(allowed.iter().any(|known| known == registry), "{name} comes from {registry}");
    }
}

#[test]
fn a_second_version_of_a_dependency_has_its_reason() {
    let skip = deny().bans.skip;
    assert!(skip.iter().all(|entry| !entry.reason.is_empty()));
    let skipped: BTreeSet<&str> = skip.iter().map(|entry| entry.package.as_str()).collect();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        versions.entry(package.name).or_default().insert(package.version);
    }
    let twice: Vec<_> = versions
        .iter()
        .map(|(name, versions)| {
            let unexplained = versions.iter().filter(|version| !skipped.contains(format!("{name}@{version}").as_str()));
            (name, unexplained.collect::<Vec<_>>())
        })
        .filter(|(_, unexplained)| unexplained.len() > 1)
        .collect();
    assert!(twice.is_empty(), "several versions without a reason in deny.toml: {twice:?}");
    for entry in skipped {
        let (name, version) = entry.split_once('@').unwrap();
        let known = versions.get(name).is_some_and(|versions| versions.len() > 1 && versions.contains(version));
        assert!(known, "deny.toml explains {entry}, which nobody has beside another version");
    }
}

#[test]
fn what_is_banned_is_not_there() {
    let packages = packages();
    for Entry { package: banned, reason } in deny().bans.deny {
        assert!(packages.iter().all(|package| package.name != banned), "{banned} is banned: {reason}");
    }
}

/// Clippy's `incompatible_msrv` holds our own code to the version; this holds what we depend on.
#[test]
fn the_stated_rust_version_suffices_for_each_dependency() {
    let numbers = |version: &str| version.split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>();
    let stated = numbers(env!("CARGO_PKG_RUST_VERSION"));
    for Package { name, version, rust_version, .. } in packages() {
        let Some(wanted) = rust_version else { continue };
        assert!(numbers(&wanted) <= stated, "{name} {version} wants Rust {wanted}");
    }
}
