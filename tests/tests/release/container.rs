//! The container, and the workflows of this repository.

use std::fs;

use weir_tests::{repo, weir};

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
