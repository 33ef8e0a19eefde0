//! One local stack: its folder, its processes and how to reach it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use weir_cloud::Clients;
use weir_project::{Distribution, EngineKind, Repo, compile::compile_pack};
use weir_rules::{Environment, Streams};
use weir_terminal::step;

use super::{declared, emulator, engine, process::Process, record, terraform::Terraform};

/// What the emulator calls itself.
const REGION: &str = "us-east-1";
/// Where and how a stack runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct StackOptions {
    /// The stack's name: two stacks of one checkout need two names and two ports
    #[cfg_attr(feature = "clap", arg(long = "stack", default_value = "local", value_name = "NAME"))]
    pub name: String,
    /// The loopback port of the AWS emulator
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 4566, env = "PORT"))]
    pub port: u16,
    /// What runs the rules
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub engine: EngineKind,
}

/// How to reach a running stack; kept in its folder for `weir put`, `weir tail` and a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The emulator's address.
    pub endpoint: String,
    /// The region that it stands for.
    pub region: String,
    /// The name of the events stream.
    pub events_stream: String,
    /// The name of the anomalies stream.
    pub anomalies_stream: String,
    /// The name of the table.
    pub table: String,
    /// The queue that receives every alert.
    pub inbox_url: String,
    /// The queue of records that are no events.
    pub quarantine_url: String,
    /// What runs the rules.
    #[serde(default)]
    pub engine: EngineKind,
    /// The streams that the project declares: what each is called in this stack.
    #[serde(default)]
    pub declared: BTreeMap<String, String>,
}

impl Connection {
    /// Of a stack that `weir up` left running.
    ///
    /// # Errors
    /// When none is up, or its file is damaged.
    pub fn load(repo: &Repo, name: &str) -> Result<Self> {
        let file = connection_file(&repo.stack_folder(name));
        let bytes = fs::read(&file).with_context(|| {
            format!("no stack `{name}` is up\n  hint: start it with `weir up --stack {name}`, or leave out --stack to use AWS")
        })?;
        serde_json::from_slice(&bytes).with_context(|| {
            format!("{} is damaged\n  hint: weir down --stack {name}, then weir up --stack {name}", file.display())
        })
    }
}

/// How to reach the stack of a folder.
pub(super) fn connection_file(folder: &Path) -> PathBuf {
    folder.join("connection.json")
}

/// The processes of the stack of a folder.
pub(super) fn processes_file(folder: &Path) -> PathBuf {
    folder.join("processes.json")
}

/// A local stack that this command runs. Dropping it kills its processes.
#[derive(Debug)]
pub struct Stack {
    repo: Repo,
    /// What it is made of; an engine alone needs none of it.
    distribution: Option<Distribution>,
    options: StackOptions,
    folder: PathBuf,
    emulator: Option<Process>,
    engine: Option<Process>,
    program: PathBuf,
    /// Held for as long as this command works on the stack.
    _lock: File,
}

impl Stack {
    /// Of a stack whose emulator runs and whose engine does not: to start the engine alone.
    ///
    /// # Errors
    /// When its engine is not on this machine, or another command works on it.
    pub fn resume(repo: &Repo, options: &StackOptions, connection: &Connection) -> Result<Self> {
        connection.engine.check()?;
        let folder = repo.stack_folder(&options.name);
        let lock = lock(&folder)?;
        let program = folder.join("pack.sql");
        let options = StackOptions { engine: connection.engine, ..options.clone() };
        let repo = repo.clone();
        Ok(Self { repo, distribution: None, options, folder, emulator: None, engine: None, program, _lock: lock })
    }

    /// Compiles the rules again. Where they are not what the engine ran before, it forgets its state, which is theirs, and
    /// begins at the oldest event; whether that is so.
    ///
    /// # Errors
    /// When the rules do not compile, or the state cannot be cleared.
    pub fn compile_again(&self, connection: &Connection, environment: Environment) -> Result<bool> {
        let before = fs::read(&self.program).unwrap_or_default();
        self.compile(connection, environment)?;
        let changed = fs::read(&self.program).is_ok_and(|now| now != before);
        for state in ["state", "arroyo"].map(|name| self.folder.join(name)) {
            if changed && state.exists() {
                fs::remove_dir_all(&state).with_context(|| format!("{} cannot be cleared", state.display()))?;
            }
        }
        Ok(changed)
    }

    /// Checks what can be checked, ends what an interrupted run left, and clears the stack's folder.
    ///
    /// # Errors
    /// When a tool is not there, the name or the port is not to be had, or another command works on the stack.
    pub async fn prepare(repo: &Repo, options: &StackOptions) -> Result<Self> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if options.name.is_empty() || options.name.len() > 20 || !options.name.chars().all(valid) {
            bail!("`{}` is no stack name\n  hint: up to 20 lower-case letters, digits and `-`", options.name);
        }
        for (tool, hint) in [
            ("terraform", "install Terraform 1.11 or newer: https://developer.hashicorp.com/terraform/install"),
            ("python3", "install Python 3.10 or newer; the local AWS emulator needs it"),
        ] {
            let found = std::process::Command::new(tool).arg("--version").output().is_ok_and(|o| o.status.success());
            if !found {
                bail!("`{tool}` was not found\n  hint: {hint}");
            }
        }
        options.engine.check()?;
        let distribution = Distribution::find(repo)?;
        let folder = repo.stack_folder(&options.name);
        let lock = lock(&folder)?;
        end(&folder).await?;
        emulator::check_port(options.port)?;
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("{} cannot be cleared", folder.display()));
            }
            _ => fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?,
        }
        let program = folder.join("pack.sql");
        Ok(Self {
            repo: repo.clone(),
            distribution: Some(distribution),
            options: options.clone(),
            folder,
            emulator: None,
            engine: None,
            program,
            _lock: lock,
        })
    }

    /// Brings everything up but the engine.
    ///
    /// # Errors
    /// When a step fails; the error has the end of its log.
    pub async fn provision(&mut self, environment: &Environment) -> Result<Connection> {
        let endpoint = format!("http://127.0.0.1:{}", self.options.port);
        let distribution = match &self.distribution {
            Some(distribution) => distribution.clone(),
            None => Distribution::find(&self.repo)?,
        };
        let working_folder = distribution.working_folder(&self.repo);
        let log = self.log("install");
        let installing = emulator::install(&distribution, &working_folder, &log);
        step("install the local AWS emulator", &log, installing).await?;
        let log = self.log("emulator");
        let starting = emulator::start(&distribution, &working_folder, &self.folder, self.options.port, &log);
        let emulator = step(&format!("start the local AWS emulator on {endpoint}"), &log, starting).await?;
        record::remember(&self.processes(), &emulator.record)?;
        self.emulator = Some(emulator);

        let prefix =
            if self.options.name == "local" { "weir".to_owned() } else { format!("weir-{}", self.options.name) };
        let streams = declared::of_project(&self.repo, environment, &prefix)?;
        declared::create(&Clients::at(&endpoint).await, &streams).await?;
        let terraform = Terraform::new(
            &distribution,
            &working_folder,
            &self.folder,
            &endpoint,
            &prefix,
            shards(self.options.engine),
            declared::variable(&streams),
        )?;
        let log = self.log("terraform");
        step("terraform init", &log, terraform.init(&log)).await?;
        step("terraform apply (the root module that AWS gets)", &log, terraform.apply(&log)).await?;
        let outputs = terraform.outputs().await?;
        let connection = Connection {
            endpoint,
            region: REGION.to_owned(),
            events_stream: outputs.get("events_stream_name")?.to_owned(),
            anomalies_stream: outputs.get("anomalies_stream_name")?.to_owned(),
            table: outputs.get("table_name")?.to_owned(),
            inbox_url: outputs.get("inbox_queue_url")?.to_owned(),
            quarantine_url: outputs.get("quarantine_queue_url")?.to_owned(),
            engine: self.options.engine,
            declared: streams.into_iter().map(|declared| (declared.name, declared.stream)).collect(),
        };
        fs::write(connection_file(&self.folder), serde_json::to_vec_pretty(&connection)?)?;
        Ok(connection)
    }

    /// Compiles the rules for this stack.
    ///
    /// # Errors
    /// When the rules do not compile.
    pub fn compile(&self, connection: &Connection, mut environment: Environment) -> Result<usize> {
        environment.streams = Streams {
            events: connection.events_stream.clone(),
            anomalies: connection.anomalies_stream.clone(),
            ..environment.streams
        };
        for (name, stream) in &connection.declared {
            environment.streams.declared.entry(name.clone()).or_default().stream = Some(stream.clone());
        }
        let program = compile_pack(&self.repo.sql(), &environment, connection.engine)?;
        fs::write(&self.program, &program.sql).with_context(|| self.program.display().to_string())?;
        Ok(program.rules.len())
    }

    /// Starts the engine on the compiled rules; it continues where its last checkpoint left off.
    ///
    /// # Errors
    /// When it ends, or gives no sign of life in time.
    pub async fn start_engine(&mut self, connection: &Connection) -> Result<()> {
        let log = self.log("engine");
        let kind = self.options.engine;
        let starting = engine::start(kind, &self.folder, &self.program, connection, &log);
        let engine = step(&format!("start {}", kind.name()), &log, starting).await?;
        record::remember(&self.processes(), &engine.record)?;
        self.engine = Some(engine);
        Ok(())
    }

    /// Kills the engine without warning, as a power cut would.
    pub async fn kill_engine(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.kill().await;
        }
    }

    /// An error when a process of the stack has ended by itself.
    ///
    /// # Errors
    /// Names the process and its log.
    pub fn check(&mut self) -> Result<()> {
        for process in [&mut self.emulator, &mut self.engine].into_iter().flatten() {
            if let Some(status) = process.exited() {
                bail!("the {} ended with {status} (log: {})", process.record.name, process.log.display());
            }
        }
        Ok(())
    }

    /// Ends everything that this stack started.
    pub async fn down(mut self) {
        for process in [self.engine.take(), self.emulator.take()].into_iter().flatten() {
            process.stop().await;
        }
        let _ = fs::remove_file(self.processes());
        let _ = fs::remove_file(connection_file(&self.folder));
    }

    /// Leaves everything running for `weir down` to end.
    pub fn detach(mut self) {
        for process in [self.engine.take(), self.emulator.take()].into_iter().flatten() {
            process.detach();
        }
    }

    /// Where the engine keeps its statistics, if it does.
    #[must_use]
    pub fn stats_file(&self) -> Option<PathBuf> {
        (self.options.engine == EngineKind::Embedded).then(|| engine::stats_file(&self.folder))
    }

    /// Where it keeps its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    fn processes(&self) -> PathBuf {
        processes_file(&self.folder)
    }
}

/// Shards of the events stream, where the engine asks for other than the usual. Arroyo reads the shards of a task as they
/// come and keeps one watermark for all: of a replay that runs hours in seconds, one shard's events would come too late.
fn shards(engine: EngineKind) -> Option<u32> {
    (engine == EngineKind::Arroyo).then_some(1)
}

/// Ends the processes that a command recorded in a stack's folder. Returns how many there were.
///
/// # Errors
/// When the record of the processes cannot be removed.
pub async fn end(folder: &Path) -> Result<usize> {
    let ended = record::end_recorded(&processes_file(folder)).await?;
    let _ = fs::remove_file(connection_file(folder));
    Ok(ended)
}

/// Keeps two commands from working on one stack at a time. The lock goes with the process, however it ends.
fn lock(folder: &Path) -> Result<File> {
    let file = folder.with_extension("lock");
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    }
    let lock = File::create(&file).with_context(|| format!("{} cannot be written", file.display()))?;
    if lock.try_lock().is_err() {
        bail!(
            "another weir command is working on this stack\n  hint: wait for it, or name another: --stack NAME --port PORT"
        );
    }
    Ok(lock)
}
