//! The embedded engine as a service, as a person deploys it: `weir deploy` with `engine = "embedded"`, the task that Terraform defines as a process,
//! and what may happen to it. AWS is the emulator, which starts no tasks itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod gateway;
mod task;

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use gateway::{Gateway, S3};
use serde_json::Value;
use task::{Definition, Task};
use weir_tests::{Checkout, Emulator, weir};

/// From an event's put to its anomaly in the table takes a second, a takeover some checkpoints and looks; a busy machine takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(200);
/// A checkpoint each second, so that nobody waits for one.
const SIZES: &str =
    "engine = \"embedded\"\nengine_checkpoint_interval_seconds = 1\navailability_zones = [\"a\", \"b\"]\n";

pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(POLL);
    }
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A checkout, an emulator, and the commands of a person.
struct Person {
    checkout: Checkout,
    emulator: Emulator,
    files: tempfile::TempDir,
}

impl Person {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = weir(arguments);
        command
            .current_dir(self.checkout.path())
            .envs(self.emulator.environment())
            .env("WEIR_ENV", "e2e")
            .env("WEIR_WHO", "ana")
            .env_remove("WEIR_OUTPUTS")
            .env_remove("WEIR_ARROYO_URL")
            .stdin(Stdio::null());
        command
    }

    /// A command that must end well.
    fn weir(&self, arguments: &[&str]) -> Said {
        let said = Said::from(self.command(arguments).output().unwrap());
        assert_eq!(said.code, Some(0), "weir {arguments:?}: {}{}", said.out, said.err);
        said
    }

    /// An event that the rule static_threshold finds, of a source that is noted.
    fn put_one(&self, source: &str, sources: &mut BTreeSet<String>) {
        sources.insert(source.to_owned());
        let file = self.files.path().join("event");
        let event =
            format!(r#"{{"timestamp":"2026-11-25T12:00:00Z","value":99,"source":"{source}","metric":"temperature"}}"#);
        fs::write(&file, event).unwrap();
        self.weir(&["put", file.to_str().unwrap(), "--env", "e2e"]);
    }

    /// The keys of stored anomalies. One key, of one version of the rule, is stored once.
    fn stored(&self) -> BTreeSet<String> {
        let shown = self.weir(&["show", "--rule", "static_threshold", "--json", "--most", "1000", "--env", "e2e"]);
        let mut all = BTreeSet::new();
        for line in shown.out.lines() {
            let anomaly: Value = serde_json::from_str(line).unwrap();
            let [key, version] = ["key", "rule_version"].map(|name| anomaly[name].as_str().unwrap().to_owned());
            assert!(all.insert((key.clone(), version)), "{key} is stored twice: {}", shown.out);
        }
        all.into_iter().map(|(key, _)| key).collect()
    }

    /// Waits until the events of these sources, and no others, are stored.
    fn expect(&self, sources: &BTreeSet<String>) {
        let keys: BTreeSet<String> = sources.iter().map(|source| format!("{source}/temperature")).collect();
        until(&format!("{keys:?} are stored"), || (self.stored() == keys).then_some(()));
    }

    /// What `weir status --json` says, however the engine is.
    fn status(&self) -> Value {
        let said = Said::from(self.command(&["status", "--json"]).output().unwrap());
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err))
    }
}

#[test]
fn the_service_is_deployed_and_loses_nothing_whatever_happens_to_its_task() {
    let files = tempfile::tempdir().unwrap();
    let emulator = Emulator::start(&files.path().join("emulator")).unwrap();
    let person = Person { checkout: Checkout::new(SIZES).unwrap(), emulator, files };
    let folder = person.files.path();
    let definition = Definition::planned(&person.checkout, &person.emulator);

    // Before its bucket is there, a task is not well.
    let task = Task::start(&definition, folder, "first", None);
    until("the metrics are served", || task.log().contains("metrics are at").then_some(()));
    assert!(!task.is_well(), "{}", task.log());

    let endpoint = format!("endpoint_url={}", person.emulator.endpoint());
    let terraform = ["--", "-var", &endpoint];
    let made = person.weir(&[&["deploy", "--yes"], &terraform[..]].concat());
    assert!(
        made.out.contains("note: it begins with empty windows, and reads what the streams still keep\n")
            && made.out.contains("e2e: deployment 1 runs\n")
            && made.out.contains("a probe went through events, rules, anomalies and alerter into the table in ")
            && made.out.contains("  engine            weir-e2e-deploy-engine\n"),
        "{}",
        made.out
    );
    assert!(task.is_well(), "{}", task.log());
    let mut sources = BTreeSet::new();
    person.put_one("before", &mut sources);
    person.expect(&sources);
    let well = person.weir(&["status"]);
    assert!(well.out.starts_with("service weir-e2e-deploy-engine  well\n"), "{}", well.out);
    assert!(well.out.contains("last deployment:\n   1  "), "{}", well.out);

    // A kill: what comes meanwhile waits on the stream, what was read and not checkpointed is read again.
    person.put_one("just-before-the-kill", &mut sources);
    task.kill();
    person.put_one("while-it-is-down", &mut sources);
    let task = Task::start(&definition, folder, "second", None);
    person.expect(&sources);

    changed_rules_take_over_and_go_back(&person, &mut sources);
    let task = two_tasks_are_fenced(&person, &definition, task, &mut sources);
    drop(task);
    a_storage_that_fails_stops_no_rule(&person, &definition, &mut sources);

    let ended = person.weir(&[&["destroy", "--all", "--yes"], &terraform[..]].concat());
    assert_eq!(ended.out, "e2e: nothing is left\n", "{}", ended.err);
    assert!(
        ended.err.contains("what the windows hold and where reading had come to, in weir-e2e-deploy-engine-"),
        "{}",
        ended.err
    );
}

/// A changed pack starts beside the one that runs; one that was there before finds its state.
fn changed_rules_take_over_and_go_back(person: &Person, sources: &mut BTreeSet<String>) {
    let nothing = person.weir(&["plan", "--exit-code"]);
    assert!(nothing.out.contains("rules: unchanged"), "{}", nothing.out);
    let changed = ["--set", "static_threshold.high=95"];
    let planned = Said::from(person.command(&[&["plan", "--exit-code"], &changed[..]].concat()).output().unwrap());
    assert_eq!(planned.code, Some(3), "{}", planned.err);
    assert!(
        planned.out.contains("  ~ static_threshold ")
            && planned.out.contains("1 now, 2 during, 1 after")
            && planned.out.contains("note: what runs goes on beside it until it has caught up"),
        "{}",
        planned.out
    );
    let applied = person.weir(&[&["apply", "--yes"], &changed[..]].concat());
    assert!(applied.out.ends_with("e2e: deployment 2 runs\n"), "{}", applied.out);
    assert!(applied.err.contains("it has taken over"), "{}", applied.err);
    let second = person.status()["observed"]["running"]["pack"].clone();

    let refused = Said::from(person.command(&["apply", "--yes", "--parallelism", "2"]).output().unwrap());
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.starts_with("error: the embedded engine has no --parallelism\n  hint: "), "{}", refused.err);

    let back = person.weir(&["rollback", "--yes"]);
    assert!(
        back.out.contains("note: it ran here before: it goes on from the state that it left")
            && back.out.ends_with("e2e: deployment 3 runs\n"),
        "{}",
        back.out
    );
    assert_ne!(person.status()["observed"]["running"]["pack"], second);

    person.put_one("after-the-rollback", sources);
    person.expect(sources);

    let ended = person.weir(&["destroy", "--yes"]);
    assert_eq!(ended.out, "e2e: the rules ended\n");
    let none = Said::from(person.command(&["status"]).output().unwrap());
    assert_eq!(none.code, Some(3), "{}", none.err);
    assert!(none.out.starts_with("e2e: no rules are deployed"), "{}", none.out);
    let again = person.weir(&["apply", "--yes"]);
    assert!(again.out.contains("note: it ran here before"), "{}", again.out);
}

/// Two tasks at once: one of them ends with its exit code, and the other goes on.
fn two_tasks_are_fenced(
    person: &Person,
    definition: &Definition,
    mut one: Task,
    sources: &mut BTreeSet<String>,
) -> Task {
    let mut other = Task::start(definition, person.files.path(), "another", None);
    let mut n = 0;
    let (ended, first) = until("one of two tasks is fenced", || {
        // A task that has read nothing writes no checkpoint.
        n += 1;
        person.put_one(&format!("two-tasks-{n}"), sources);
        one.ended().map(|ended| (ended, true)).or_else(|| other.ended().map(|ended| (ended, false)))
    });
    let (gone, mut left) = if first { (one, other) } else { (other, one) };
    let log = gone.log();
    assert_eq!(ended.code(), Some(4), "{log}");
    assert!(log.contains("another run has written s3://") && log.contains("\"fenced\":1"), "{log}");
    assert!(left.ended().is_none(), "the other goes on: {}", left.log());
    person.put_one("after-the-fence", sources);
    person.expect(sources);
    left
}

/// S3 refuses, then is slow: rules go on meanwhile, checkpoints go on afterwards, and a kill in the middle loses nothing.
fn a_storage_that_fails_stops_no_rule(person: &Person, definition: &Definition, sources: &mut BTreeSet<String>) {
    let gateway = Gateway::open(&person.emulator.endpoint());
    let mut task = Task::start(definition, person.files.path(), "behind-a-gateway", Some(&gateway.address));
    let taken_up = format!("process {}", task.id());
    until("it runs", || {
        let status = person.status();
        (status["observed"]["task"] == taken_up.as_str() && status["observed"]["running"].is_object()).then_some(())
    });

    gateway.set(S3::Refuses);
    person.put_one("just-before-s3-refuses", sources);
    until("checkpoints are refused", || (gateway.refused() > 10).then_some(()));
    person.put_one("while-s3-refuses", sources);
    person.expect(sources);
    gateway.set(S3::Slow);
    person.put_one("while-s3-is-slow", sources);
    person.expect(sources);
    gateway.set(S3::Well);
    until("checkpoints that were put off are told, and written again", || {
        let status = person.status();
        let running = &status["observed"]["running"];
        (running["failed_checkpoints"].as_u64()? > 0 && running["checkpoints"].as_u64()? > 0).then_some(())
    });
    assert!(task.ended().is_none(), "{}", task.log());

    gateway.set(S3::Refuses);
    person.put_one("just-before-the-last-kill", sources);
    task.kill();
    task = Task::start(definition, person.files.path(), "last", None);
    person.expect(sources);
    let ended = task.stop();
    assert_eq!(ended.code(), Some(0), "{}", task.log());
}
