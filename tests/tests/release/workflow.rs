//! The workflow that `weir init` writes, run as GitHub would: its shell lines, with the tools that reach a network replaced.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;
use weir_tests::{repo, weir};

use crate::common::{program, released, said, version};

type Variables = BTreeMap<String, String>;

/// A step that runs shell lines: when, and which.
#[derive(Debug, Default)]
struct Step {
    condition: String,
    lines: String,
}

/// A job: its variables, and its steps.
#[derive(Debug, Default)]
struct Job {
    env: Variables,
    steps: Vec<Step>,
}

/// The jobs of a workflow, as far as these tests go: `env` of a job, and of steps `if` and `run`, on a line or as a block.
fn jobs(text: &str) -> BTreeMap<String, Job> {
    let mut jobs: BTreeMap<String, Job> = BTreeMap::new();
    let (mut job, mut section, mut block) = (String::new(), String::new(), false);
    for line in text.lines().skip_while(|line| *line != "jobs:").skip(1) {
        let indent = line.len() - line.trim_start().len();
        let trimmed = line.trim();
        if block && (indent > 8 || trimmed.is_empty()) {
            let step = jobs.get_mut(&job).unwrap().steps.last_mut().unwrap();
            step.lines.push_str(line.get(10..).unwrap_or_default());
            step.lines.push('\n');
            continue;
        }
        block = false;
        if trimmed.starts_with('#') {
            continue;
        }
        if indent == 2 {
            job = trimmed.trim_end_matches(':').to_owned();
            jobs.insert(job.clone(), Job::default());
            continue;
        }
        let current = jobs.get_mut(&job).unwrap();
        if indent == 4 {
            section = trimmed.split(':').next().unwrap().to_owned();
            continue;
        }
        if section == "env" {
            let (name, value) = trimmed.split_once(": ").unwrap();
            current.env.insert(name.to_owned(), value.to_owned());
        }
        if section == "steps" {
            if trimmed.starts_with("- ") {
                current.steps.push(Step::default());
            }
            let (key, value) = trimmed.trim_start_matches("- ").split_once(':').unwrap();
            let step = current.steps.last_mut().unwrap();
            match (indent, key, value.trim()) {
                (6 | 8, "if", condition) => step.condition = condition.to_owned(),
                (6 | 8, "run", "|") => block = true,
                (6 | 8, "run", line) => step.lines = line.to_owned(),
                _ => {}
            }
        }
    }
    jobs
}

/// The value of `${{ vars.NAME }}` or `${{ vars.NAME || 'VALUE' }}`.
fn value(text: &str, variables: &Variables) -> String {
    let Some(inner) = text.strip_prefix("${{ vars.").and_then(|rest| rest.strip_suffix(" }}")) else {
        return text.to_owned();
    };
    let (name, otherwise) = inner.split_once(" || ").unwrap_or((inner, "''"));
    let set = variables.get(name).filter(|value| !value.is_empty());
    set.cloned().unwrap_or_else(|| otherwise.trim_matches('\'').to_owned())
}

/// A runner with a checkout of a new project.
struct Runner {
    folder: TempDir,
    jobs: BTreeMap<String, Job>,
    variables: Variables,
}

impl Runner {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["tools", "temp", "home"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let output = weir(&["init", "plant"]).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let workflow = fs::read_to_string(folder.path().join("plant/.github/workflows/weir.yml")).unwrap();
        // From the place of releases, which has the installer beside the archives.
        let curl = format!(
            "#!/bin/sh\nset -eu\nfor last; do :; done\nwhile [ \"$1\" != -o ]; do shift; done\n\
             case $last in https://releases.example/v{0}/*) ;; *) echo \"no $last\" >&2; exit 22 ;; esac\n\
             case $last in */install.sh) cp {1} \"$2\" ;; *) cp {2}/\"$(basename \"$last\")\" \"$2\" ;; esac\n",
            version(),
            repo().join("install.sh").display(),
            released().display()
        );
        program(&folder.path().join("tools/curl"), &curl);
        // What Terraform is asked, and what it finds.
        let terraform = "#!/bin/sh\nset -eu\nfor file in alerter gate heartbeat; do test -s dist/$file.zip; test -s dist/$file.zip.arch; done\n\
             grep -q 'backend \"s3\"' terraform/backend_override.tf\ngrep -q iot-climate terraform/streams.auto.tfvars.json\n\
             test -n \"$TF_VAR_region\"\necho \"$TF_VAR_region: $*\" >> ../asked\n";
        program(&folder.path().join("tools/terraform"), terraform);
        program(&folder.path().join("tools/aws"), "#!/bin/sh\nexit 1\n");
        let variables = [
            ("WEIR_RELEASES", "https://releases.example"),
            ("WEIR_ROLE_ARN", "arn:aws:iam::111122223333:role/deploy"),
            ("WEIR_STATE_BUCKET", "acme-state"),
            ("AWS_REGION", "eu-west-1"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { folder, jobs: jobs(&workflow), variables }
    }

    /// Runs the shell lines of a job for an event, until one fails.
    fn run(&self, job: &str, event: &str) -> Vec<Output> {
        let job = &self.jobs[job];
        let path = |name: &str| self.folder.path().join(name);
        let mut outputs = Vec::new();
        for step in job.steps.iter().filter(|step| !step.lines.is_empty()) {
            let wanted = step.condition.strip_prefix("github.event_name == ").map(|event| event.trim_matches('\''));
            if wanted.is_some_and(|wanted| wanted != event) {
                continue;
            }
            let added = fs::read_to_string(path("path")).unwrap_or_default().lines().collect::<Vec<_>>().join(":");
            let mut bash = Command::new("bash");
            bash.args(["-e", "-c", &step.lines]).current_dir(path("plant")).env_clear();
            bash.env("PATH", format!("{added}:{}:/usr/bin:/bin", path("tools").display())).env("HOME", path("home"));
            bash.env("GITHUB_PATH", path("path"))
                .env("GITHUB_STEP_SUMMARY", path("summary"))
                .env("RUNNER_TEMP", path("temp"));
            bash.envs(job.env.iter().map(|(name, text)| (name, value(text, &self.variables))));
            outputs.push(bash.output().unwrap());
            if !outputs.last().unwrap().status.success() {
                break;
            }
        }
        outputs
    }

    fn passes(&self, job: &str, event: &str) {
        let outputs = self.run(job, event);
        let last = outputs.last().unwrap();
        assert!(last.status.success(), "{job} on {event}: {}", said(last));
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.file("asked")).unwrap_or_default()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[test]
fn the_workflow_of_a_new_project_passes() {
    let runner = Runner::new();
    runner.passes("rules", "pull_request");
    let summary = fs::read_to_string(runner.file("summary")).unwrap();
    assert!(summary.contains("damp_room"), "{summary}");

    runner.passes("infrastructure", "pull_request");
    let planned = runner.asked();
    let lines: Vec<&str> = planned.lines().collect();
    assert_eq!(lines.len(), 2, "{planned}");
    for part in ["bucket=acme-state", "key=plant/prod.tfstate", "region=eu-west-1", "use_lockfile=true", "encrypt=true"]
    {
        assert!(lines[0].starts_with("eu-west-1: -chdir=terraform init -input=false "), "{planned}");
        assert!(lines[0].contains(&format!(" -backend-config={part}")), "{part}: {planned}");
    }
    assert_eq!(lines[1], "eu-west-1: -chdir=terraform plan -input=false -var-file=prod.tfvars");
    assert!(runner.file("plant/terraform/prod.tfvars").is_file());
    // What a run writes is no change of the repository.
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(runner.file("plant")).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    git(&["init", "-q"]);
    let left = git(&["status", "--porcelain", "--untracked-files=all", "dist", "terraform/backend_override.tf"]);
    assert_eq!(left + &git(&["status", "--porcelain", "terraform/streams.auto.tfvars.json"]), "");

    runner.passes("infrastructure", "push");
    let applied = runner.asked();
    assert!(applied.ends_with("apply -input=false -auto-approve -var-file=prod.tfvars\n"), "{applied}");
}

#[test]
fn what_is_not_set_is_told() {
    let mut runner = Runner::new();
    for (name, job) in
        [("WEIR_RELEASES", "rules"), ("WEIR_STATE_BUCKET", "infrastructure"), ("AWS_REGION", "infrastructure")]
    {
        let value = runner.variables.remove(name).unwrap();
        let outputs = runner.run(job, "push");
        let last = outputs.last().unwrap();
        assert!(!last.status.success() && said(last).contains(&format!("{name}: is not set")), "{}", said(last));
        assert_eq!(runner.asked(), "", "no state is begun that nobody finds again");
        runner.variables.insert(name.to_owned(), value);
    }
    let releases = runner.variables.insert("WEIR_RELEASES".to_owned(), "https://elsewhere.example".to_owned());
    assert!(releases.is_some());
    let outputs = runner.run("rules", "push");
    assert_eq!(outputs.len(), 1, "a download that fails is the end");
    assert!(!Path::new(&runner.file("home/.local/bin/weir")).exists());
}
