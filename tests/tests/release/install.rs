//! `install.sh`.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
};

use weir_tests::repo;

use crate::common::{architecture, clean, install, program, said};

/// A small archive with a command that says its version, as a release is laid out.
fn fake(folder: &Path, version: &str) -> PathBuf {
    let name = format!("weir-{version}-{}-linux", architecture());
    let root = folder.join("made").join(&name);
    for part in ["bin", "completions", "man/man1"] {
        fs::create_dir_all(root.join(part)).unwrap();
    }
    program(&root.join("bin/weir"), &format!("#!/bin/sh\necho weir {version}\n"));
    fs::write(root.join("completions/weir.bash"), "").unwrap();
    fs::write(root.join("man/man1/weir.1"), ".TH weir 1\n").unwrap();
    // Beside the folder, as it must not list itself.
    let sums = "find . -type f ! -name SHA256SUMS | xargs sha256sum > ../sums; mv ../sums SHA256SUMS";
    assert!(clean(&root, sums).status.success());
    let pack = format!("tar -C made -czf {name}.tar.gz {name} && sha256sum weir-*.tar.gz > SHA256SUMS");
    assert!(clean(folder, &pack).status.success());
    folder.join(format!("{name}.tar.gz"))
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
    program(&tools.join("curl"), curl);
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

/// What is installed in a folder says its version.
fn says(folder: &Path, command: &str, version: &str) {
    assert_eq!(said(&clean(folder, command)), format!("weir {version}\n"));
}

#[test]
fn the_newest_version_of_a_folder_is_installed_by_its_numbers_and_an_older_one_over_it() {
    let folder = tempfile::tempdir().unwrap();
    for version in ["0.9.0", "0.10.0", "0.10.0-rc.1"] {
        fake(folder.path(), version);
    }
    // A link to a folder is a folder.
    symlink(".", folder.path().join("releases")).unwrap();
    let output = install(folder.path(), "releases");
    assert!(output.status.success(), "{}", said(&output));
    says(folder.path(), ".local/bin/weir", "0.10.0");
    for version in ["0.10.0", "0.10.0-rc.1"] {
        fs::remove_file(folder.path().join(format!("weir-{version}-{}-linux.tar.gz", architecture()))).unwrap();
    }
    let output = install(folder.path(), "releases");
    assert!(said(&output).contains("weir 0.9.0 is in place, where 0.10.0 was"), "{}", said(&output));
    says(folder.path(), ".local/bin/weir", "0.9.0");
    says(folder.path(), ".local/lib/weir/0.10.0/bin/weir", "0.10.0");
}

#[test]
fn a_prefix_may_be_relative_have_blanks_and_be_reached_by_links() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "0.1.0");
    for prefix in ["to here", "lib", "--prefix=equal"] {
        let option = prefix.strip_prefix("--prefix=").map_or(format!("--prefix '{prefix}'"), |_| prefix.to_owned());
        let prefix = prefix.trim_start_matches("--prefix=");
        let output = install(folder.path(), &format!(". {option}"));
        assert!(output.status.success(), "{}", said(&output));
        let absolute = folder.path().canonicalize().unwrap().join(prefix).join("bin");
        assert!(said(&output).contains(&format!("export PATH=\"{}:$PATH\"", absolute.display())), "{}", said(&output));
        says(folder.path(), &format!("'{prefix}/bin/weir'"), "0.1.0");
        // The whole folder may be moved.
        fs::rename(folder.path().join(prefix), folder.path().join("moved")).unwrap();
        says(folder.path(), "moved/bin/weir", "0.1.0");
        fs::remove_dir_all(folder.path().join("moved")).unwrap();
    }
    // A folder of programs that lies elsewhere.
    fs::create_dir_all(folder.path().join("programs/deep/er")).unwrap();
    fs::create_dir(folder.path().join("linked")).unwrap();
    symlink("../programs/deep/er", folder.path().join("linked/bin")).unwrap();
    assert!(install(folder.path(), ". --prefix linked").status.success());
    says(folder.path(), "programs/deep/er/weir", "0.1.0");
}

#[test]
fn what_stands_in_the_way_is_told_before_anything_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "0.1.0");
    for arguments in [". --prefix", ". --prefix ''", ". --prefix=", ". --prefix --x", ". .", ". --what", "''"] {
        let output = install(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {}", said(&output));
        assert!(said(&output).contains("usage: install.sh VERSION|FOLDER [--prefix DIR]"), "{}", said(&output));
    }
    fs::create_dir_all(folder.path().join("taken/bin/weir")).unwrap();
    let output = install(folder.path(), ". --prefix taken");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("taken/bin/weir is there, and nothing that"), "{}", said(&output));
    assert_eq!(fs::read_dir(folder.path().join("taken/bin/weir")).unwrap().count(), 0, "nothing is put into it");
    assert_eq!(fs::read_dir(folder.path().join("taken/lib/weir")).unwrap().count(), 0);
    fs::write(folder.path().join("file"), "").unwrap();
    let output = install(folder.path(), ". --prefix file/below");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("file/below cannot be written to\nhint: --prefix DIR"), "{}", said(&output));
    // A link to a folder is a link; what is there as a folder in the place of a page of the manual stays.
    fs::create_dir_all(folder.path().join("mine")).unwrap();
    fs::create_dir_all(folder.path().join(".local/bin")).unwrap();
    fs::create_dir_all(folder.path().join(".local/share/man/man1/weir.1")).unwrap();
    symlink("../../mine", folder.path().join(".local/bin/weir")).unwrap();
    let output = install(folder.path(), ".");
    assert!(said(&output).contains("weir.1 is a folder, and was left as it is"), "{}", said(&output));
    says(folder.path(), ".local/bin/weir", "0.1.0");
    assert_eq!(fs::read_dir(folder.path().join("mine")).unwrap().count(), 0);
    for (version, why) in
        [("0.1", "is no whole version"), ("0.1.0/../x", "is neither"), ("v0.1.0", "WEIR_RELEASES is not")]
    {
        let output = install(folder.path(), version);
        assert!(!output.status.success() && said(&output).contains(why), "{version}: {}", said(&output));
    }
}

#[test]
fn what_runs_keeps_its_files_and_what_was_changed_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "0.1.0");
    assert!(install(folder.path(), ".").status.success());
    let home = folder.path().join(".local/lib/weir");
    let command = home.join("0.1.0/bin/weir");
    let before = fs::metadata(&command).unwrap().ino();
    assert!(install(folder.path(), ".").status.success());
    assert_eq!(fs::metadata(&command).unwrap().ino(), before, "the same is left alone");
    // One that runs while another takes its place goes on with the file that it began with.
    let mut running = fs::File::open(&command).unwrap();
    fs::write(home.join("0.1.0/completions/weir.bash"), "changed").unwrap();
    assert!(install(folder.path(), ".").status.success());
    assert_ne!(fs::metadata(&command).unwrap().ino(), before, "all of it is put there again");
    assert_eq!(fs::read(home.join("0.1.0/completions/weir.bash")).unwrap(), b"");
    let mut text = String::new();
    running.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("echo weir 0.1.0\n"), "{text}");
    says(folder.path(), ".local/bin/weir", "0.1.0");
    let left: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["0.1.0"], "nothing else is left");
}
