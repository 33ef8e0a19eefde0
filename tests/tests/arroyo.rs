//! The same programs on a real Arroyo: what it accepts and what it writes, against what the embedded engine does.
//!
//! Runs where `ARROYO_BIN` names an `arroyo`, or one is on `PATH`; says so where not. Arroyo is the judge: every difference is a
//! failure, unless the program names it in a header `-- arroyo: WHY`, and then it must still differ. What is chance there is
//! named by `-- arroyo-varies: WHY` and held to what `-- arroyo-judged: HOW` says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at a surprise, and says what it skipped"
)]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use weir_arroyo::local::{Arrival, Input, on_files};
use weir_engine::{MemorySink, MemorySource, PlanOptions, RunOptions, plan};
use weir_rules::{Environment, Pack, compile};
use weir_tests::arroyo::{Bounds, Cluster, Judge, adapt, binary, bounds};

/// A program of a few dozen rows ends within a second or two; a debug build on a busy machine gets longer.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(30);
/// The compiled pack is far larger: on a busy machine a debug build needs half a minute to start it alone.
const PACK_TIMEOUT: Duration = Duration::from_secs(180);
/// A source that ends while the job still starts can panic Arroyo's worker: such a program is tried again.
const ATTEMPTS: u32 = 4;

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The Arroyo to test with, or a line that says what was skipped.
fn arroyo(what: &str) -> Option<PathBuf> {
    let found = binary();
    if found.is_none() {
        println!("skipped: {what} (no Arroyo: set ARROYO_BIN, or put `arroyo` on PATH)");
    }
    found
}

/// A program of the conformance suite.
struct Conformance {
    name: String,
    sql: String,
}

impl Conformance {
    fn all() -> Vec<Self> {
        let folder = repo().join("tests/conformance");
        let mut all: Vec<Self> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "sql"))
            .map(|path| Self {
                name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                sql: fs::read_to_string(&path).unwrap(),
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn header(&self, key: &str) -> Option<&str> {
        let prefix = format!("-- {key}: ");
        self.sql.lines().find_map(|line| line.strip_prefix(prefix.as_str()))
    }

    fn file(&self, kind: &str) -> PathBuf {
        let name = if kind == "input" { self.header("input").unwrap_or(&self.name) } else { &self.name };
        repo().join(format!("tests/conformance/{name}.{kind}.jsonl"))
    }

    fn expected(&self) -> Vec<String> {
        fs::read_to_string(self.file("expected")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// How a refused program fares on Arroyo; `None` when as it should.
    fn refused_differs(&self, text: &str, cluster: &Cluster) -> Option<String> {
        let errors = cluster.api.validate(&self.sql).map_err(|e| e.to_string());
        let only_there = text.contains("run it on Arroyo") || text.contains("not supported by the embedded engine");
        match errors {
            Ok(errors) if errors.is_empty() && !only_there => Some(format!("refused here ({text}), accepted there")),
            // A build without every connector is still a judge of everything else; a `SELECT 1` reads no stream.
            Ok(errors)
                if only_there
                    && !errors
                        .iter()
                        .all(|e| e.contains("Unknown connector") || e.contains("No timestamp field found")) =>
            {
                Some(format!("said to run there, refused there: {errors:?}"))
            }
            Ok(_) => None,
            Err(error) => Some(format!("no answer: {error}")),
        }
    }

    /// How a program fares that is planned and not run; `None` when as it should.
    fn planned_differs(&self, cluster: &Cluster) -> Option<String> {
        match cluster.api.validate(&self.sql) {
            // A build without every connector is still a judge of everything else.
            Ok(errors) if errors.iter().all(|e| e.contains("Unknown connector")) => None,
            Ok(errors) => Some(format!("accepted here, refused there: {errors:?}")),
            Err(error) => Some(format!("no answer: {error}")),
        }
    }

    /// Runs the program to its end and says how it differs; `None` when it does not.
    fn accepted_differs(&self, cluster: &Cluster, scratch: &Path) -> Option<String> {
        if self.header("planned").is_some() {
            return self.planned_differs(cluster);
        }
        let mut last = String::new();
        for attempt in 0..ATTEMPTS {
            let folder = scratch.join(format!("{}-{attempt}", self.name));
            fs::create_dir_all(&folder).unwrap();
            let sql = adapt(&self.sql, &self.file("input"), &folder);
            let errors = match cluster.api.validate(&sql) {
                Ok(errors) => errors.join("; "),
                Err(error) => return Some(format!("no answer: {error}")),
            };
            if !errors.is_empty() {
                return Some(format!("accepted here, refused there: {}", errors.chars().take(400).collect::<String>()));
            }
            let pipeline = match cluster.api.create(&self.name, &sql, &[]) {
                Ok(pipeline) => pipeline,
                Err(error) => return Some(format!("validated, but not created: {error}")),
            };
            match cluster.wait(&pipeline, &["Finished"], PROGRAM_TIMEOUT) {
                Ok(_) => return self.rows_differ(&folder),
                Err(error) => last = error.to_string(),
            }
        }
        if self.judge() == Some(Judge::SameWhereItEnds) {
            return None;
        }
        Some(format!("it failed {ATTEMPTS} times: {last}"))
    }

    /// How it is judged, if its result on Arroyo is chance.
    fn judge(&self) -> Option<Judge> {
        let judged = self.header("arroyo-judged");
        assert_eq!(
            judged.is_some(),
            self.header("arroyo-varies").is_some(),
            "{}: one header without the other",
            self.name
        );
        judged.map(|how| Judge::parse(how).unwrap_or_else(|e| panic!("{}: {e}", self.name)))
    }

    /// What its rows lie between, for any order in which rows of two inputs meet.
    fn bounds(&self) -> Bounds {
        let input = fs::read_to_string(self.file("input")).unwrap();
        bounds(&self.sql, &input).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// How its rows differ; `None` when they do not.
    fn rows_differ(&self, folder: &Path) -> Option<String> {
        if let Some(judge) = self.judge() {
            return judge.differs(&lines_of(folder), &self.expected(), &self.bounds());
        }
        // Which order the keys of nested JSON have depends on the features that Arroyo was built with.
        let same_order = |line: String| {
            if line.contains("\"whole\":") {
                serde_json::from_str::<serde_json::Value>(&line).unwrap().to_string()
            } else {
                line
            }
        };
        let mut got: Vec<String> = lines_of(folder).into_iter().map(same_order).collect();
        got.sort();
        let mut expected: Vec<String> = self.expected().into_iter().map(same_order).collect();
        expected.sort();
        (got != expected).then(|| difference(&got, &expected))
    }
}

/// The lines of every file that a program wrote.
fn lines_of(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|file| fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// What only one of two sorted lists has.
fn difference(there: &[String], here: &[String]) -> String {
    let mut text = format!("{} rows there, {} here", there.len(), here.len());
    for (name, these, those) in [("there", there, here), ("here", here, there)] {
        let mut rest = those.to_vec();
        for line in these {
            match rest.iter().position(|other| other == line) {
                Some(same) => drop(rest.swap_remove(same)),
                None => write!(text, "\n    only {name}: {line}").unwrap(),
            }
        }
    }
    text
}

#[test]
fn the_conformance_suite_gives_the_same_on_arroyo() {
    let Some(binary) = arroyo("the conformance suite on Arroyo") else { return };
    let scratch = tempfile::tempdir().unwrap();
    // The embedded engine judges lateness record by record, so Arroyo is made to.
    let environment = [("ARROYO__PIPELINE__SOURCE_BATCH_SIZE", "1".to_owned())];
    let cluster = Cluster::start(&binary, &scratch.path().join("arroyo"), &environment).unwrap();
    let only = std::env::var("PROGRAM").ok();
    // Parts of names, separated by commas.
    let asked = |p: &Conformance| only.as_ref().is_none_or(|only| only.split(',').any(|part| p.name.contains(part)));
    let programs: Vec<Conformance> = Conformance::all().into_iter().filter(asked).collect();

    let mut outcomes: Vec<(&Conformance, Option<String>)> = Vec::new();
    let (refused, accepted): (Vec<_>, Vec<_>) = programs.iter().partition(|p| p.header("refused").is_some());
    for program in refused {
        outcomes.push((program, program.refused_differs(program.header("refused").unwrap(), &cluster)));
    }
    for program in accepted {
        outcomes.push((program, program.accepted_differs(&cluster, scratch.path())));
    }

    let (mut same, mut known, mut failures) = (0, Vec::new(), Vec::new());
    let varying = outcomes.iter().filter(|(program, _)| program.header("arroyo-varies").is_some()).count();
    for (program, difference) in outcomes {
        match (difference, program.header("arroyo")) {
            (None, None) => same += 1,
            (Some(_), Some(why)) => known.push(format!("  {}: {why}", program.name)),
            (Some(difference), None) => failures.push(format!("  {}: {difference}", program.name)),
            (None, Some(why)) => failures.push(format!("  {}: no longer differs, though it says: {why}", program.name)),
        }
    }
    println!(
        "{same} programs the same on Arroyo ({varying} of them by what must hold in any order); {} known to differ:\n{}",
        known.len(),
        known.join("\n")
    );
    assert!(failures.is_empty(), "{} differ:\n{}\n{}", failures.len(), failures.join("\n"), cluster.log());
}

/// Without an Arroyo: the judges of what is chance there accept what comes out here, and can refuse.
#[test]
fn what_is_chance_on_arroyo_is_held_to_bounds_that_hold_here_and_can_fail() {
    let judged: Vec<(Conformance, Judge)> =
        Conformance::all().into_iter().filter_map(|p| p.judge().map(|judge| (p, judge))).collect();
    assert!(judged.len() >= 4, "{}", judged.len());
    for (program, judge) in judged {
        let (name, expected) = (&program.name, program.expected());
        assert!(program.header("arroyo").is_none(), "{name}: it cannot vary and always differ");
        let bounds = program.bounds();
        assert_eq!(judge.differs(&expected, &expected, &bounds), None, "{name}");
        assert!(judge.differs(&[], &expected, &bounds).is_some(), "{name}: nothing is enough");
        let twice = [&expected[..], &expected[..]].concat();
        let more = [
            &bounds.most[..],
            &[expected[0].replace("\"k\":\"", "\"k\":\"other-").replace("\"start\":\"2", "\"start\":\"3")],
        ]
        .concat();
        assert!(
            judge.differs(&twice, &expected, &bounds).is_some() || judge.differs(&more, &expected, &bounds).is_some(),
            "{name}: anything is allowed"
        );
        if judge != Judge::SameWhereItEnds {
            assert!(judge.differs(&bounds.most, &expected, &bounds).is_none(), "{name}");
            // Two bounds that agree would hold the program to one result, and it would need no judge.
            let only_least = Bounds { most: bounds.least.clone(), least: bounds.least.clone() };
            assert!(judge.differs(&bounds.most, &expected, &only_least).is_some(), "{name}: no late row matters");
        }
    }
}

/// The functions of `tests/conformance/functions.txt`, each called without arguments: a name that Arroyo does not register is
/// told from one that it calls with others.
#[test]
fn arroyo_registers_the_functions_that_are_registered_here() {
    let Some(binary) = arroyo("the names of functions on Arroyo") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&binary, scratch.path(), &[]).unwrap();
    let names = fs::read_to_string(repo().join("tests/conformance/functions.txt")).unwrap();
    let mut failures = Vec::new();
    for (kind, name) in names.lines().map(|line| line.split_once(' ').unwrap()) {
        let over = if kind == "window" { " OVER ()" } else { "" };
        let sql = format!(
            "CREATE TABLE t (a INT) WITH (connector = 'single_file', path = '/in', type = 'source', format = 'json');
             SELECT \"{name}\"(){over} AS x FROM t;"
        );
        // Its planner panics at some calls without arguments, and then gives no answer: it knew the name.
        let errors = cluster.api.validate(&sql).unwrap_or_default().join("; ");
        let is_known = !errors.contains("Invalid function");
        // The Iceberg connector, and its functions, may not be in the build.
        if is_known == (kind == "alias") && kind != "iceberg" {
            failures.push(format!("{kind} {name}: {errors}"));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

/// The default pack, compiled.
fn pack(time: &str) -> String {
    let environment = Environment::parse(Path::new("test.toml"), &format!("time = \"{time}\"")).unwrap();
    compile(&Pack::load(&repo().join("sql")).unwrap(), &environment).unwrap().sql
}

#[test]
fn arroyo_accepts_the_compiled_pack_in_both_time_modes() {
    let Some(binary) = arroyo("the compiled pack on Arroyo's planner") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&binary, scratch.path(), &[]).unwrap();
    for time in ["arrival", "event"] {
        let errors = cluster.api.validate(&pack(time)).unwrap();
        assert!(errors.is_empty(), "{time}: {}", errors.join("\n"));
    }
}

/// The pack with files in place of streams: records a line each, poison among them.
#[test]
fn the_pack_finds_the_same_on_arroyo_as_here() {
    let Some(binary) = arroyo("the compiled pack over a file on Arroyo") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let input = scratch.path().join("events.jsonl");
    fs::write(&input, events()).unwrap();

    let here = {
        let program = plan(&pack("event"), &PlanOptions::default()).unwrap();
        let (anomalies, poison) = (MemorySink::new(), MemorySink::new());
        let mut options = RunOptions::default();
        options.sources.insert("events_raw".into(), MemorySource::lines(&events()));
        options.sinks.insert("anomalies".into(), anomalies.clone());
        options.sinks.insert("poison".into(), poison.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(weir_engine::run(&program, options, std::future::pending())).unwrap();
        nested([anomalies.lines(), poison.lines()].concat())
    };
    for word in ["\"rule\":\"static_threshold\"", "\"rule\":\"weir_probe\"", "not_json", "bad_timestamp", "bad_value"] {
        assert!(here.iter().any(|line| line.contains(word)), "{word}: {here:#?}");
    }

    let out = scratch.path().join("out");
    fs::create_dir_all(&out).unwrap();
    let sql = on_files(&pack("event"), &mut |_| Input { path: input.clone(), arrival: Arrival::Unused }, &out).unwrap();
    let environment = [("ARROYO__PIPELINE__SOURCE_BATCH_SIZE", "1".to_owned())];
    let cluster = Cluster::start(&binary, &scratch.path().join("arroyo"), &environment).unwrap();
    let pipeline = cluster.api.create("pack", &sql, &[]).unwrap();
    cluster.wait(&pipeline, &["Finished"], PACK_TIMEOUT).unwrap_or_else(|e| panic!("{e}\n{}", cluster.log()));
    let there = nested(lines_of(&out));
    assert!(there == here, "{}", difference(&there, &here));
}

/// Sorted records, their JSON columns nested: Arroyo writes those that were computed as text, and the alerter reads both.
fn nested(lines: Vec<String>) -> Vec<String> {
    let nest = |line: String| {
        let mut record: serde_json::Value = serde_json::from_str(&line).unwrap();
        for column in ["details", "rule_meta"] {
            if let Some(object) = record[column].as_str().map(|text| serde_json::from_str(text).unwrap()) {
                record[column] = object;
            }
        }
        record.to_string()
    };
    let mut lines: Vec<String> = lines.into_iter().map(nest).collect();
    lines.sort();
    lines
}

/// Two days of one series, a reading a minute, with a spike; and records that are no events.
fn events() -> String {
    let start = 1_763_856_000_000_i64;
    let mut lines = String::new();
    for i in 0..2 * 1440_i64 {
        let at = start + i * 60_000;
        let value = if i == 2000 { 500.0 } else { 20.0 + f64::from(i32::try_from(i % 7).unwrap()) };
        writeln!(lines, r#"{{"timestamp":{at},"value":{value},"source":"pump-7","metric":"temperature"}}"#).unwrap();
        if i == 100 {
            lines.push_str("{\"timestamp\":\n{\"value\":1}\n{\"timestamp\":1763856000000,\"value\":\"x\"}\n");
            lines.push_str("{\"weir\":\"probe\",\"probe_id\":\"p-1\",\"sent_at\":\"2025-11-23T00:00:00Z\",\"timestamp\":1763862000000}\n");
        }
    }
    lines
}

const RULE: &str = "-- name = \"high\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n\
    SELECT series AS key, window, most AS value, 10.0 AS expected, 0.5 AS score FROM (\n  \
    SELECT series, tumble(INTERVAL '5 minutes') AS window, max(value) AS most FROM events GROUP BY series, window\n) AS w WHERE most > 10.0";

/// A case by each clock, one that is silent, and one that expects what does not come.
const CASES: &str = r#"
[[case]]
name = "fires"
series = [{ values = "10x7 11 10x7" }]
expect = [{ key = "pump-1/temperature", value = 11.0, window_end = "2026-01-01T00:10:00" }]

[[case]]
name = "fires by time of arrival"
time = "arrival"
series = [{ values = "10x7 11 10x7" }]
events = ["no event", '{"timestamp":"2026-01-01T00:20:00Z","value":"eleven"}']
expect = [{ key = "pump-1/temperature", value = 11.0, window_end = "2026-01-01T00:10:00" }]
expect_poison = ["not_json", "bad_value"]

[[case]]
name = "is silent"
series = [{ values = "10x20" }]
expect = []

[[case]]
name = "is wrong"
series = [{ values = "10x7 11 10x7" }]
expect = [{ value = 12.0 }]
"#;

/// The command as `make build` leaves it, next to this test's own binary, with the cases whose names hold a text.
fn weir_test(project: &Path, arroyo: &Path, cases: &str) -> (Option<i32>, String) {
    let test = std::env::current_exe().unwrap();
    let weir = test.parent().and_then(Path::parent).unwrap().join("weir");
    assert!(weir.exists(), "{} is missing: run `make build` first", weir.display());
    let mut command = Command::new(weir);
    command.args(["test", "--engine", "arroyo", cases]).current_dir(project).env("ARROYO_BIN", arroyo);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn the_tests_of_rules_are_run_on_arroyo() {
    let project = tempfile::tempdir().unwrap();
    let sql = project.path().join("sql");
    for part in ["rules", "tests"] {
        fs::create_dir_all(sql.join(part)).unwrap();
    }
    fs::copy(repo().join("sql/tables.sql"), sql.join("tables.sql")).unwrap();
    fs::write(sql.join("rules/high.sql"), RULE).unwrap();
    fs::write(sql.join("tests/high.toml"), CASES).unwrap();

    let (code, said) = weir_test(project.path(), Path::new("/no/arroyo"), "");
    assert!(code == Some(1) && said.contains("error: no `arroyo` was found\n  hint: "), "{said}");

    let Some(binary) = arroyo("the tests of rules on Arroyo") else { return };
    let (code, said) = weir_test(project.path(), &binary, "");
    for line in ["ok      high: fires\n", "ok      high: fires by time of arrival\n", "ok      high: is silent\n"] {
        assert!(said.contains(line), "{said}");
    }
    let wrong = "FAILED  high: is wrong\n        - missing   value = 12.0\n";
    assert!(code == Some(1) && said.contains(wrong) && said.contains("3 passed; 1 failed"), "{said}");
}

/// Arroyo's compiler makes a library of `sql/udfs/adaptive_verdict.rs` as it is. What such a library depends on takes six minutes of
/// CPU the first time; it is kept in `.weir/arroyo`.
#[test]
fn a_rule_with_a_function_in_rust_finds_the_same_on_arroyo() {
    let Some(binary) = arroyo("a rule with a function in Rust on Arroyo") else { return };
    let (code, said) = weir_test(&repo(), &binary, "adaptive: ");
    assert!(code == Some(0) && said.contains("5 passed; 0 failed"), "{said}");
}

/// The examples' own cases: streams that Arroyo reads itself, by either clock, and streams that pass the gate.
#[test]
fn the_tests_of_rules_on_declared_streams_are_run_on_arroyo() {
    let Some(binary) = arroyo("the tests of rules on declared streams on Arroyo") else { return };
    for name in ["climate", "cloudtrail_sign_in", "heart_rate", "metric_stream", "vpc_flow_logs", "meter_batches"] {
        // A copy, so that nothing of the run stays beside the example.
        let folder = tempfile::tempdir().unwrap();
        let from = repo().join("examples/streams").join(name);
        assert!(Command::new("cp").arg("-r").arg(from).arg(folder.path()).status().unwrap().success());
        let (code, said) = weir_test(&folder.path().join(name), &binary, "");
        assert!(code == Some(0) && said.contains("; 0 failed"), "{name}: {said}");
        assert!(said.contains("ok      "), "{name}: {said}");
    }
}
