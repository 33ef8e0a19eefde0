//! The same cases on a real Arroyo: one cluster for all of them, and one pipeline a case, over files.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    net::unix::pipe,
    process::Command,
    sync::{Semaphore, watch},
    task::JoinSet,
};
use weir_arroyo::{
    Client, Timing,
    api::{JobState, NewPipeline, Udf},
    local::{Arrival, Input, LocalCluster, binary, on_files, sink_file},
};
use weir_rules::Program;

use super::{diff::Fields, lines::Lines};

/// Arroyo is up within a second or two; a debug build on a busy machine gets two minutes.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// A case of some thousand events ends within seconds; some took three minutes on a debug build.
const CASE_TIMEOUT: Duration = Duration::from_secs(600);
/// For making a pipeline. Functions in Rust are compiled first, one after another, and the first with all that it depends on: six
/// minutes of CPU.
const CREATE_TIMEOUT: Duration = Duration::from_secs(1800);
/// Tries for a call: Arroyo's compiler is up some time after its API, on a busy machine seconds.
const ATTEMPTS_A_CALL: u32 = 10;
/// So many cases take some seconds.
const TOLD_EACH: usize = 10;
/// The number of the error of a pipe that nobody reads, on Linux and macOS alike.
const ENXIO: i32 = 6;
const POLL: Duration = Duration::from_millis(50);
/// A source that ends while the job still starts can panic Arroyo's worker: such a case is tried again.
const ATTEMPTS: u32 = 4;
/// Pipelines at a time: each starts threads of its own, and more of them are no faster.
const AT_A_TIME: usize = 3;

/// A real Arroyo, which ends with this value.
#[derive(Debug)]
pub(super) struct Arroyo {
    client: Client,
    // Before the folder: the process ends first.
    _cluster: LocalCluster,
    folder: TempDir,
    udfs: PathBuf,
    /// Held while functions are compiled in the checkout's own folder.
    _build: Option<File>,
    /// Whether a person was told what takes so long.
    told: AtomicBool,
    runs: AtomicUsize,
    /// Cases that have been run, to tell a person who waits.
    done: AtomicUsize,
    free: Semaphore,
}

impl Arroyo {
    /// Starts one. `udfs` is the folder with functions in Rust, `work` one in which what they depend on is kept compiled.
    pub(super) async fn start(udfs: PathBuf, work: &Path) -> Result<Self> {
        let binary = binary().context("no `arroyo` was found")?;
        let folder = tempfile::tempdir().context("a folder for Arroyo")?;
        eprintln!("starting {}", binary.display());
        // The embedded engine judges lateness record by record, so Arroyo is made to.
        let mut environment = vec![("ARROYO__PIPELINE__SOURCE_BATCH_SIZE", "1".to_owned())];
        let build = build_folder(work)?;
        if let Some((folder, _)) = &build {
            environment.push(("ARROYO__COMPILER__BUILD_DIR", folder.display().to_string()));
        }
        let mut cluster = LocalCluster::spawn(&binary, &folder.path().join("arroyo"), &environment)
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        let once = Timing { attempts: 1, ..Timing::default() };
        let waiting = Client::new(&cluster.url(), None, once)?;
        let begun = Instant::now();
        while let Err(error) = waiting.ping().await {
            if let Some(status) = cluster.exited()? {
                bail!("arroyo ended with {status}: {}", cluster.log());
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!("arroyo does not answer: {error}");
            }
            tokio::time::sleep(POLL).await;
        }
        let client = Client::new(
            &cluster.url(),
            None,
            Timing { create: CREATE_TIMEOUT, attempts: ATTEMPTS_A_CALL, ..Timing::default() },
        )?;
        Ok(Self {
            client,
            _cluster: cluster,
            folder,
            udfs,
            _build: build.map(|(_, lock)| lock),
            told: AtomicBool::new(false),
            runs: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            free: Semaphore::new(AT_A_TIME),
        })
    }

    /// What the program writes to `anomalies` on Arroyo when its sources end after these lines; a source without any reads none.
    pub(super) async fn anomalies(&self, program: &Program, sources: &[Lines]) -> Result<Vec<Fields>> {
        let _turn = self.free.acquire().await?;
        let udfs = weir_rules::udf_definitions(&self.udfs, &program.sql)?;
        let udfs: Vec<Udf> =
            udfs.into_values().map(|definition| Udf { definition, language: "rust".to_owned() }).collect();
        if !udfs.is_empty() && !self.told.swap(true, Ordering::Relaxed) {
            eprintln!("  Arroyo compiles functions in Rust; what they depend on takes minutes the first time");
        }
        let mut last = anyhow!("it was never run");
        for _ in 0..ATTEMPTS {
            let folder = self.folder.path().join(self.runs.fetch_add(1, Ordering::Relaxed).to_string());
            fs::create_dir(&folder).context("a folder for a case")?;
            let mut pipes: Vec<PathBuf> = Vec::new();
            let mut input = |table: &str| {
                let path = folder.join(table);
                pipes.push(path.clone());
                let lines = sources.iter().find(|lines| lines.table == table);
                Input { path, arrival: lines.map_or(Arrival::Unused, |lines| lines.arrival) }
            };
            let query = on_files(&program.sql, &mut input, &folder).map_err(|e| anyhow!(e))?;
            let text = |path: &Path| {
                let lines = sources.iter().find(|lines| path.ends_with(&lines.table));
                lines.map_or_else(|| Arc::from([]), |lines| Arc::clone(&lines.text))
            };
            let inputs = pipes.into_iter().map(|path| (text(&path), path)).collect();
            match self.run(query, udfs.clone(), inputs).await? {
                Ok(()) => {
                    let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(TOLD_EACH) {
                        eprintln!("  {done} cases have been run");
                    }
                    return read(&folder);
                }
                Err(failed) => last = failed,
            }
        }
        Err(last.context(format!("it failed {ATTEMPTS} times on Arroyo")))
    }

    /// Runs a program to its end. What failed while it ran may succeed another time.
    async fn run(&self, query: String, udfs: Vec<Udf>, inputs: Vec<(Arc<[u8]>, PathBuf)>) -> Result<Result<()>> {
        let refused = self.client.validate(&query, &udfs).await?;
        if !refused.is_empty() {
            let refused: Vec<String> = refused.into_iter().map(|diagnostic| diagnostic.message).collect();
            bail!("Arroyo refuses it: {}", refused.join("; "));
        }
        let pipeline =
            NewPipeline { name: "case".into(), query, udfs, parallelism: 1, checkpoint_interval_micros: None };
        let (running, seen) = watch::channel(false);
        let mut feeding = JoinSet::new();
        for (text, path) in inputs {
            make_pipe(&path).await?;
            feeding.spawn(feed(text, path, seen.clone()));
        }
        let pipeline = self.client.create(&pipeline).await?.id;
        let begun = Instant::now();
        loop {
            // A pipeline has no job for a moment after it was created.
            let job = self.client.job(&pipeline).await?;
            let state = job.as_ref().map(|job| &job.state);
            if !matches!(state, None | Some(JobState::Starting(_) | JobState::Unknown(_))) {
                running.send_replace(true);
            }
            match state {
                Some(JobState::Finished) => break,
                Some(JobState::Failed) => {
                    let id = job.as_ref().map_or("", |job| job.id.as_str());
                    let errors = self.client.errors(&pipeline, id, 3).await.unwrap_or_default();
                    let mut said = job.as_ref().and_then(|job| job.failure()).unwrap_or_default();
                    for error in errors {
                        let _ = write!(said, "; {}: {}", error.message, error.details);
                    }
                    return Ok(Err(anyhow!("Arroyo gave the case up: {said}")));
                }
                _ if begun.elapsed() > CASE_TIMEOUT => {
                    bail!("Arroyo did not finish within {} s", CASE_TIMEOUT.as_secs())
                }
                _ => tokio::time::sleep(POLL).await,
            }
        }
        self.client.delete(&pipeline).await?;
        Ok(Ok(()))
    }
}

/// Makes a pipe with a name: Arroyo reads it as a file, which ends only when it is told to.
async fn make_pipe(path: &Path) -> Result<()> {
    let made = Command::new("mkfifo").arg(path).status().await.context("`mkfifo` cannot be started")?;
    anyhow::ensure!(made.success(), "{}: no pipe can be made here", path.display());
    Ok(())
}

/// Writes what a source reads, and ends it when the job runs: what a source says that ends before is lost on Arroyo's controller,
/// and the job never ends.
async fn feed(text: Arc<[u8]>, path: PathBuf, mut running: watch::Receiver<bool>) -> io::Result<()> {
    let mut pipe = loop {
        match pipe::OpenOptions::new().open_sender(&path) {
            Ok(pipe) => break pipe,
            // Arroyo has not opened it yet, which shows as ENXIO: no such device or address.
            Err(error) if error.raw_os_error() == Some(ENXIO) => tokio::time::sleep(POLL).await,
            Err(error) => return Err(error),
        }
    };
    pipe.write_all(&text).await?;
    // Nobody sends any more when the case is over.
    let _ = running.wait_for(|running| *running).await;
    Ok(())
}

/// A folder for Arroyo's compiler that outlives the run, and the lock on it; none while another run has it, which then compiles
/// everything for itself.
fn build_folder(work: &Path) -> Result<Option<(PathBuf, File)>> {
    let folder = work.join("functions");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let path = work.join("functions.lock");
    let lock = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(lock.try_lock().is_ok().then_some((folder, lock)))
}

/// What the sink wrote, as the embedded engine gives it: Arroyo writes JSON that was computed as text, and the alerter reads both.
fn read(folder: &Path) -> Result<Vec<Fields>> {
    let text = match fs::read_to_string(sink_file(folder, "anomalies")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.context("what Arroyo wrote")?,
    };
    let parse = |line: &str| {
        let mut fields: Fields = serde_json::from_str(line).with_context(|| format!("no JSON object: {line}"))?;
        for name in ["details", "rule_meta"] {
            if let Some(column) = fields.get_mut(name)
                && let Some(nested) = column.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok())
            {
                *column = nested;
            }
        }
        Ok(fields)
    };
    text.lines().map(parse).collect()
}
