//! The alerter against the Python baseline: the same emulator, the same run, the same records.
//!
//! usage: bench-alerter BOOTSTRAP ZIP PYTHON BASELINE
//!
//! Prints a Markdown table. Processor time is the function's own process's; wall time has the emulator in it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weir_anomaly::{AnomalyId, Timestamp, id::Identity};
use weir_lambda_tests::{EventSource, Function, Invoked, Record, Settings, emulator::Emulator};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Batch sizes and how many records each is measured over: seconds of work for the slower of the two.
const RUNS: [(usize, usize); 3] = [(1, 300), (100, 2_000), (1_000, 4_000)];
/// Starts that the cold start is the median of.
const STARTS: usize = 15;
/// Before each run, so that connections stand and code is warm.
const WARM_UP: usize = 20;
const TIMEOUT: Duration = Duration::from_secs(300);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let [bootstrap, zip, python, baseline] = arguments.as_slice() else {
        return Err("usage: bench-alerter BOOTSTRAP ZIP PYTHON BASELINE".into());
    };
    let emulator = Emulator::start().await?;
    let mut environment = emulator.alerter_environment(&format!("http://{}", emulator.address));
    environment.push(("WEIR_STORM_CAP".to_owned(), "1000".to_owned()));
    // Python asks for its region by another name.
    environment.push(("AWS_DEFAULT_REGION".to_owned(), "us-east-1".to_owned()));
    let environment: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();

    // The baseline needs its interpreter: a script of two lines is its binary.
    let dir = tempfile::tempdir()?;
    let script = dir.path().join("bootstrap");
    std::fs::write(&script, format!("#!/bin/sh\nexec {} {}\n", python.display(), baseline.display()))?;
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;

    let mut report = Report::default();
    let mut records = Records(0);
    for (name, binary) in [("Python, boto3", script.as_path()), ("Rust", bootstrap)] {
        cold_start(name, binary, &environment, &mut records, &mut report).await?;
        for (batch, count) in RUNS {
            let kinds: &[(&str, usize)] = &[("every record alerts", 1), ("one record in 100 alerts", 100)];
            for (kind, each) in kinds {
                run(name, binary, &environment, &mut records, (batch, count, kind, *each), &mut report).await?;
            }
        }
    }
    report.line(&format!("| zip | Rust | {:.2} MB |", std::fs::metadata(zip)?.len() as f64 / 1e6));
    let mut out = std::io::stdout().lock();
    out.write_all(report.0.as_bytes())?;
    Ok(())
}

#[derive(Default)]
struct Report(String);

impl Report {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }
}

/// Makes records that were never there before.
struct Records(u64);

impl Records {
    /// `count` anomalies, `each` of a key in one dedup period.
    fn take(&mut self, count: usize, each: usize) -> Vec<Record> {
        let first = self.0;
        self.0 += count as u64;
        let record = |n: u64| {
            let key = format!("pump-{first}-{}/temperature", (n - first) / each as u64);
            let time = Timestamp::from_nanos(
                1_795_410_000_000_000_000 + i64::try_from(n % 1000).unwrap_or_default() * 1_000_000,
            );
            let id = AnomalyId::compute("zscore", &format!("{key}{n}"), Identity::Event { time, event_id: "" });
            let data = json!({"id": id, "rule": "zscore", "rule_version": "a1b2c3d4e5f6", "severity": "warning", "key": key,
                "timestamp": time.to_string(), "window_start": "2026-11-23T04:00:00", "window_end": "2026-11-23T05:00:00",
                "value": 99.5, "expected": 20.25, "score": 0.9375, "details": {"n": 60, "mean": 20.25, "deviation": 1.5},
                "rule_meta": {"description": "A reading far from its own past", "owner": "team-pumps",
                    "runbook": "https://example.org/runbooks/pumps", "dedup_seconds": 900, "stage": "active"}});
            Record {
                sequence_number: format!("{n:056}"),
                data: data.to_string().into_bytes(),
                arrival: 1_795_410_000.5,
            }
        };
        (first..self.0).map(record).collect()
    }
}

async fn cold_start(
    name: &str,
    binary: &Path,
    environment: &[(&str, &str)],
    records: &mut Records,
    report: &mut Report,
) -> Result<(), BoxError> {
    let (mut inits, mut firsts, mut memory) = (Vec::new(), Vec::new(), 0);
    for _ in 0..STARTS {
        let mut function = Function::new(binary, environment, TIMEOUT);
        let payload = events(records.take(1, 1), 1).pop().ok_or("no event")?;
        let begun = Instant::now();
        invoke(&mut function, &payload).await?;
        firsts.push(begun.elapsed());
        inits.push(function.init.ok_or("no init")?);
        memory = memory.max(function.usage().ok_or("no usage")?.peak_memory);
        function.stop().await?;
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    report.line(&format!(
        "| init, spawn to first call for work, median of {STARTS} | {name} | {:.1} ms |",
        median(inits)
    ));
    report.line(&format!("| cold start, spawn to first response | {name} | {:.1} ms |", median(firsts)));
    report.line(&format!("| peak memory after one record | {name} | {:.1} MB |", memory as f64 / 1e6));
    Ok(())
}

async fn run(
    name: &str,
    binary: &Path,
    environment: &[(&str, &str)],
    records: &mut Records,
    (batch, count, kind, each): (usize, usize, &str, usize),
    report: &mut Report,
) -> Result<(), BoxError> {
    let mut function = Function::new(binary, environment, TIMEOUT);
    for payload in events(records.take(WARM_UP, 1), 1) {
        invoke(&mut function, &payload).await?;
    }
    let payloads = events(records.take(count, each), batch);
    let before = function.usage().ok_or("no usage")?;
    let begun = Instant::now();
    for payload in &payloads {
        invoke(&mut function, payload).await?;
    }
    let wall = begun.elapsed();
    let after = function.usage().ok_or("no usage")?;
    function.stop().await?;
    let per_thousand = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    report.line(&format!(
        "| batch {batch}, {kind} | {name} | {:.0} ms CPU and {:.0} ms wall per 1,000 records, {:.0} records/s, peak {:.1} MB |",
        per_thousand(after.cpu - before.cpu),
        per_thousand(wall),
        count as f64 / wall.as_secs_f64(),
        after.peak_memory as f64 / 1e6
    ));
    Ok(())
}

fn events(records: Vec<Record>, batch_size: usize) -> Vec<Value> {
    let settings =
        Settings { batch_size, bisect: false, max_retries: Some(0), max_age_seconds: None, report_failures: true };
    let mut source = EventSource::new(settings, records);
    let mut events = Vec::new();
    while let Some(batch) = source.next(0.0) {
        events.push(source.event(&batch));
    }
    events
}

async fn invoke(function: &mut Function, payload: &Value) -> Result<(), BoxError> {
    match function.invoke(payload).await? {
        Invoked::Response(answer) if answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty) => Ok(()),
        other => Err(format!("the function answered {other:?}").into()),
    }
}
