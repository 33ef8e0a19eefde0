//! `scripts/release.sh`, `install.sh` and the container: what is made, and that it works where nothing of Weir's checkout is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;
use weir_tests::{repo, weir};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn architecture() -> &'static str {
    std::env::consts::ARCH
}

/// A shell's command where nothing but the system's own programs is.
fn clean(folder: &Path, command: &str) -> Output {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).current_dir(folder).env_clear();
    shell.env("PATH", "/usr/bin:/bin").env("HOME", folder).output().unwrap()
}

/// A small archive with a command that says its version, as a release is laid out.
fn fake(folder: &Path, version: &str) -> PathBuf {
    let name = format!("weir-{version}-{}-linux", architecture());
    let root = folder.join("made").join(&name);
    for part in ["bin", "completions", "man/man1"] {
        fs::create_dir_all(root.join(part)).unwrap();
    }
    fs::write(root.join("bin/weir"), format!("#!/bin/sh\necho weir {version}\n")).unwrap();
    fs::set_permissions(root.join("bin/weir"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(root.join("completions/weir.bash"), "").unwrap();
    fs::write(root.join("man/man1/weir.1"), ".TH weir 1\n").unwrap();
    let pack = format!("tar -C made -czf {name}.tar.gz {name} && sha256sum weir-*.tar.gz > SHA256SUMS");
    assert!(clean(folder, &pack).status.success());
    folder.join(format!("{name}.tar.gz"))
}

fn install(folder: &Path, arguments: &str) -> Output {
    clean(folder, &format!("{} {arguments}", repo().join("install.sh").display()))
}

#[test]
fn a_folder_is_installed_and_versions_stay_beside_one_another() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "0.1.0");
    let output = install(folder.path(), ".");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("is not on PATH"), "{}", said(&output));
    assert_eq!(said(&clean(folder.path(), ".local/bin/weir")), "weir 0.1.0\n");
    assert!(folder.path().join(".local/share/man/man1/weir.1").is_file());
    assert!(folder.path().join(".local/share/bash-completion/completions/weir").is_file());
    // A newer one, to another place and over the old one, twice.
    fake(folder.path(), "0.2.0");
    for _ in 0..2 {
        assert!(install(folder.path(), ". --prefix .local").status.success());
        assert_eq!(said(&clean(folder.path(), ".local/bin/weir")), "weir 0.2.0\n");
    }
    assert_eq!(said(&clean(folder.path(), ".local/lib/weir/0.1.0/bin/weir")), "weir 0.1.0\n");
}

#[test]
fn what_is_not_what_its_hash_says_is_not_installed() {
    let folder = tempfile::tempdir().unwrap();
    let archive = fake(folder.path(), "0.1.0");
    let sums = folder.path().join("SHA256SUMS");
    let written = fs::read_to_string(&sums).unwrap();
    let refused = |text: Option<&str>, why: &str| {
        match text {
            Some(text) => fs::write(&sums, text).unwrap(),
            None => fs::remove_file(&sums).unwrap(),
        }
        let output = install(folder.path(), ".");
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
        assert!(!folder.path().join(".local/bin/weir").exists());
    };
    refused(Some(&written.replacen(written.get(..4).unwrap(), "0000", 1)), "is not what SHA256SUMS says");
    refused(Some(""), "SHA256SUMS does not name");
    refused(None, "there is no SHA256SUMS beside");
    fs::remove_file(archive).unwrap();
    refused(Some(&written), "holds no weir-VERSION-");
    for (arguments, why) in [("nonsense", "is neither a folder nor a version"), ("0.1.0", "WEIR_RELEASES is not set")] {
        let output = install(folder.path(), arguments);
        assert!(!output.status.success() && said(&output).contains(why), "{}", said(&output));
    }
    assert_eq!(install(folder.path(), "").status.code(), Some(2));
}

#[test]
fn a_version_is_downloaded_with_its_hashes() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "0.1.0");
    // A `curl` that hands out files in place of the network, and says what it was asked.
    let tools = folder.path().join("tools");
    fs::create_dir(&tools).unwrap();
    let curl = "#!/bin/sh\nfor last; do :; done\nwhile [ \"$1\" != -o ]; do shift; done\necho \"$last\" >> asked\ncp \"$(basename \"$last\")\" \"$2\"\n";
    fs::write(tools.join("curl"), curl).unwrap();
    fs::set_permissions(tools.join("curl"), fs::Permissions::from_mode(0o755)).unwrap();
    let script = repo().join("install.sh");
    let command =
        format!("PATH={}:$PATH WEIR_RELEASES=https://releases.example sh {} 0.1.0", tools.display(), script.display());
    let output = clean(folder.path(), &command);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&clean(folder.path(), ".local/bin/weir")), "weir 0.1.0\n");
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    let archive = format!("https://releases.example/v0.1.0/weir-0.1.0-{}-linux.tar.gz", architecture());
    assert_eq!(asked.lines().collect::<Vec<_>>(), [&archive, "https://releases.example/v0.1.0/SHA256SUMS"]);
}

/// Makes an archive of what was built for the tests.
fn release(folder: &Path, out: &str) -> Output {
    let built = weir(&[]).get_program().to_owned();
    let lambdas = folder.join("lambdas");
    fs::create_dir_all(&lambdas).unwrap();
    for function in ["alerter", "heartbeat"] {
        fs::write(lambdas.join(format!("{function}.zip")), "a package").unwrap();
        fs::write(lambdas.join(format!("{function}.zip.arch")), "arm64").unwrap();
    }
    let mut script = Command::new(repo().join("scripts/release.sh"));
    script.args([architecture(), "--out"]).arg(folder.join(out)).env("WEIR_BINARY", built).env("WEIR_LAMBDAS", lambdas);
    script.env("WEIR_GZIP", "1").output().unwrap()
}

fn installed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = release(folder.path(), "release");
    assert!(output.status.success(), "{}", said(&output));
    let output = install(folder.path(), "release");
    assert!(output.status.success(), "{}", said(&output));
    folder
}

#[test]
fn the_same_source_gives_the_same_archive_and_it_works_alone() {
    let folder = installed();
    let again = release(folder.path(), "again");
    assert!(again.status.success(), "{}", said(&again));
    let sums = |out: &str| fs::read_to_string(folder.path().join(out).join("SHA256SUMS")).unwrap();
    assert_eq!(sums("release"), sums("again"), "twice the same bytes");

    let home = fs::read_dir(folder.path().join(".local/lib/weir")).unwrap().next().unwrap().unwrap().path();
    let sound = clean(&home, "sha256sum --quiet --check SHA256SUMS");
    assert!(sound.status.success(), "{}", said(&sound));
    for part in [
        "lambda/alerter.zip",
        "lambda/heartbeat.zip.arch",
        "terraform/main.tf",
        "terraform/modules/store/main.tf",
        "scripts/local-aws.sh",
        "scripts/terraform-init.sh",
        "completions/_weir",
        "man/man1/weir-rows.1",
        "licences/THIRD-PARTY.txt",
        "licences/bom.json",
        "LICENSE",
    ] {
        assert!(home.join(part).is_file(), "{part}");
    }
    assert!(!home.join("terraform/tests").exists());

    // Where there is no checkout and no compiler.
    let tried = clean(
        folder.path(),
        "set -e; PATH=$HOME/.local/bin:$PATH\nweir self version\nweir init plant --example iot\ncd plant\nweir check --deny warnings\nweir test\nweir backtest --input data/readings.jsonl --as climate --labels labels/faults.json --plot plot.svg",
    );
    assert!(tried.status.success(), "{}", said(&tried));
    let text = said(&tried);
    assert!(text.contains("; 0 failed;") && text.contains("damp_room"), "{text}");
    assert!(folder.path().join("plant/plot.svg").is_file());
}

#[test]
fn a_command_that_does_not_run_here_makes_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let mut script = Command::new(repo().join("scripts/release.sh"));
    let output = script.arg("--out").arg(folder.path()).env("WEIR_BINARY", "/dev/null").output().unwrap();
    assert!(said(&output).contains("does not run on this machine") && !output.status.success(), "{}", said(&output));
    let output = Command::new(repo().join("scripts/release.sh")).arg("sparc").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// What the container relies on: the command alone runs, as nobody, without a shell.
#[test]
fn the_container_runs_the_command_alone_as_nobody() {
    let text = fs::read_to_string(repo().join("Containerfile")).unwrap();
    let joined = text.replace("\\\n", " ");
    let lines: Vec<(&str, &str)> = joined
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("an instruction and what it is about"))
        .collect();
    let known = ["ARG", "FROM", "COPY", "RUN", "USER", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"];
    assert!(lines.iter().all(|(word, _)| known.contains(word)), "{lines:?}");
    let last = lines.iter().rposition(|(word, _)| *word == "FROM").unwrap();
    let image = &lines[last..];
    let only = |word: &str| -> Vec<&str> { image.iter().filter(|(w, _)| *w == word).map(|(_, rest)| *rest).collect() };
    assert!(only("RUN").is_empty(), "the image has no shell that could run anything");
    let user = only("USER")[0];
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    for word in ["ENTRYPOINT", "CMD"] {
        let parts: Vec<String> = serde_json::from_str(only(word)[0]).expect("without a shell: a list of words");
        assert!(!parts.is_empty());
        if word == "CMD" {
            let help = weir(&["run", "--help"]).output().unwrap();
            let help = String::from_utf8_lossy(&help.stdout).into_owned();
            assert_eq!(parts[0], "run");
            for option in parts.iter().filter(|part| part.starts_with("--")) {
                assert!(help.contains(option.as_str()), "{option}");
            }
        }
    }
    let check = only("HEALTHCHECK")[0].split_once("CMD ").unwrap().1;
    let check: Vec<String> = serde_json::from_str(check).expect("without a shell: a list of words");
    assert_eq!(check[1..3], ["health", "--metrics-port"]);
    assert!(only("CMD")[0].contains(&format!("\"--metrics-port\", \"{}\"", check[3])), "it asks where the run answers");
    let bases: Vec<&str> = lines.iter().filter(|(word, _)| *word == "FROM").map(|(_, rest)| *rest).collect();
    assert!(bases.iter().all(|base| !base.contains("latest")), "{bases:?}");
    assert!(joined.contains("sha256sum --check"), "what is unpacked is checked");
}

#[test]
fn workflows_run_the_same_scripts_and_nothing_else() {
    for file in ["ci.yml", "release.yml"] {
        let text = fs::read_to_string(repo().join(".github/workflows").join(file)).unwrap();
        let commands: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- run: ")).collect();
        assert!(!commands.is_empty());
        for command in commands {
            let word = command.split(' ').find(|word| !word.contains('=')).unwrap();
            let ours = word == "gh" || repo().join(word).is_file();
            assert!(ours, "{file}: {command}");
        }
    }
}

#[test]
fn a_link_in_place_of_the_command_is_replaced_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "0.1.0");
    fs::create_dir_all(folder.path().join(".local/bin")).unwrap();
    fs::write(folder.path().join("mine"), "mine").unwrap();
    symlink(folder.path().join("mine"), folder.path().join(".local/bin/weir")).unwrap();
    assert!(install(folder.path(), ".").status.success());
    assert_eq!(fs::read_to_string(folder.path().join("mine")).unwrap(), "mine");
    assert_eq!(said(&clean(folder.path(), ".local/bin/weir")), "weir 0.1.0\n");
}
