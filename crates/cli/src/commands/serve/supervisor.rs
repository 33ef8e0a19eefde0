//! Runs the program that is wanted, and goes over from one to the next.
//!
//! What is wanted and what runs are two things: a program that is wanted starts beside the one that runs, and takes over when it has
//! caught up. Until then, and when it fails before, what runs goes on. `observed.json` says what has taken over, so that a task
//! that starts anew takes up where the last one was: the same program runs, and the same one catches up.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{sync::watch, time::MissedTickBehavior};
use weir_deploy::embedded::contract::{FailedPack, OBSERVED_SECONDS, Observed, RefusedPack, WantedPack};
use weir_engine::{RunError, RunReport};

use super::{
    bucket::StackBucket,
    health::Health,
    program::{ProgramOptions, Running},
};
use crate::commands::run::{
    emf::{self, Emf},
    is_fenced,
    log::{self, LogFormat},
    say_metrics, summary,
};

/// How often the bucket is asked what is wanted: two dimes a month.
const LOOK: Duration = Duration::from_secs(5);

/// The engine's task.
#[derive(Debug)]
pub(super) struct Supervisor {
    bucket: StackBucket,
    options: ProgramOptions,
    health: Arc<Health>,
    emf: Option<Emf>,
    format: LogFormat,
    signals: watch::Receiver<u32>,
    /// What runs, and what is to take over.
    running: Option<Running>,
    coming: Option<Running>,
    /// What was last read, and whether the last task's word was.
    wanted: Option<WantedPack>,
    resumed: bool,
    observed: Observed,
    written: Option<Instant>,
}

/// What a round of the supervisor's begins with.
enum Event {
    Asked,
    Ended(Result<RunReport, RunError>),
    ComingEnded(Result<RunReport, RunError>),
    Look,
    Minute,
}

impl Supervisor {
    pub(super) fn new(
        bucket: StackBucket,
        options: ProgramOptions,
        health: Arc<Health>,
        emf: Option<Emf>,
        format: LogFormat,
        signals: watch::Receiver<u32>,
    ) -> Self {
        let observed = Observed {
            task: task(),
            started: now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Observed::default()
        };
        let (running, coming, wanted) = (None, None, None);
        Self {
            bucket,
            options,
            health,
            emf,
            format,
            signals,
            running,
            coming,
            wanted,
            resumed: false,
            observed,
            written: None,
        }
    }

    /// Runs until it is asked to end, or a program fails.
    ///
    /// # Errors
    /// The program that runs failed and none can take its place, or another task has its state.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut minute = tokio::time::interval_at(tokio::time::Instant::now() + emf::INTERVAL, emf::INTERVAL);
        let mut signals = self.signals.clone();
        loop {
            let event = tokio::select! {
                _ = signals.wait_for(|n| *n > 0) => Event::Asked,
                ended = end(&mut self.running) => Event::Ended(ended),
                ended = end(&mut self.coming) => Event::ComingEnded(ended),
                _ = look.tick() => Event::Look,
                _ = minute.tick() => Event::Minute,
            };
            match event {
                Event::Asked => return self.stop().await,
                Event::Ended(ended) => self.ended(ended).await?,
                Event::ComingEnded(ended) => self.coming_ended(ended).await?,
                Event::Look => self.look().await,
                Event::Minute => self.say_metrics(),
            }
            self.health.seen(self.running.as_ref().map(|running| &running.stats));
        }
    }

    /// Reads what is wanted, and does the next step towards it.
    async fn look(&mut self) {
        match self.bucket.wanted().await {
            Ok(wanted) => {
                if let Err(error) = self.follow(wanted).await {
                    self.warn(&format!("what is wanted cannot be fetched yet: {error:#}"));
                }
            }
            Err(error) => self.warn(&format!("what is wanted cannot be read: {error:#}")),
        }
        self.take_over().await;
        self.observe(false).await;
    }

    async fn follow(&mut self, wanted: Option<WantedPack>) -> Result<()> {
        if !self.resumed {
            self.resume(wanted.as_ref()).await?;
            self.resumed = true;
        }
        if self.wanted != wanted {
            self.observed.refused = None;
            self.written = None;
        }
        self.observed.wanted = wanted.as_ref().map(|wanted| wanted.id.clone());
        self.wanted.clone_from(&wanted);
        let Some((id, hash)) = wanted.and_then(|wanted| Some((wanted.id, wanted.pack?))) else {
            // No rules are wanted.
            for program in [self.coming.take(), self.running.take()].into_iter().flatten() {
                self.stop_program(program).await;
            }
            self.observed.failed = None;
            return Ok(());
        };
        let is = |program: &Option<Running>| program.as_ref().is_some_and(|program| program.hash == hash);
        if is(&self.coming) || self.observed.refused.is_some() {
            return Ok(());
        }
        if let Some(other) = self.coming.take() {
            self.stop_program(other).await;
        }
        if is(&self.running) {
            return Ok(());
        }
        match self.start(&hash).await? {
            Ok(program) if self.running.is_none() => self.running = Some(program),
            Ok(program) => self.coming = Some(program),
            Err(reason) => self.refuse(id, hash, reason),
        }
        Ok(())
    }

    /// Starts what ran before this task, where something else is wanted by now: it goes on until that has caught up.
    async fn resume(&mut self, wanted: Option<&WantedPack>) -> Result<()> {
        let Some(before) = self.bucket.observed().await? else { return Ok(()) };
        self.observed.failed = before.failed;
        let ran = before.running.map(|running| running.pack);
        let wanted = wanted.and_then(|wanted| wanted.pack.clone());
        if let Some(ran) = ran.filter(|ran| wanted.as_ref().is_some_and(|wanted| wanted != ran)) {
            match self.start(&ran).await? {
                Ok(program) => self.running = Some(program),
                Err(reason) => self.warn(&format!("what ran before cannot run any more: {reason}")),
            }
        }
        Ok(())
    }

    async fn start(&self, hash: &str) -> Result<Result<Running, String>> {
        let text = match self.bucket.program(hash).await? {
            Ok(text) => text,
            Err(reason) => return Ok(Err(reason)),
        };
        log::say(self.format, &format!("pack {hash} starts"));
        Ok(Running::start(hash, text, &self.options, now()).await)
    }

    fn refuse(&mut self, wanted: String, pack: String, reason: String) {
        self.warn(&format!("pack {pack} is refused: {reason}"));
        self.observed.refused = Some(RefusedPack { wanted, pack, reason });
        self.written = None;
    }

    /// Lets what comes take the place of what runs, when it has caught up. That is written down first: a task that is killed in
    /// between starts what has taken over, and what it replaces has nothing more to say.
    async fn take_over(&mut self) {
        let (Some(running), Some(coming)) = (&self.running, &mut self.coming) else { return };
        if !coming.has_caught_up(&running.stats.report()) {
            return;
        }
        let hash = coming.hash.clone();
        let mut next = self.observed.clone();
        (next.at, next.running, next.coming, next.failed) = (now(), Some(coming.observed()), None, None);
        if let Err(error) = self.bucket.observe(&next).await {
            self.warn(&format!("pack {hash} cannot take over yet: {error:#}"));
            return;
        }
        self.observed = next;
        self.say_metrics();
        let before = std::mem::replace(&mut self.running, self.coming.take());
        self.emf = self.emf.take().map(|emf| emf.of_the_next());
        log::say(self.format, &format!("pack {hash} has taken over"));
        if let Some(before) = before {
            self.stop_program(before).await;
        }
        self.written = None;
    }

    /// What runs ended by itself. What is to take over takes its place at once; else so must another task.
    async fn ended(&mut self, ended: Result<RunReport, RunError>) -> Result<()> {
        let Some(program) = self.running.take() else { return Ok(()) };
        let error = error_of(ended);
        self.say_end(&program, &error);
        if is_fenced(&error) {
            return Err(error.into());
        }
        self.observed.failed = Some(FailedPack { pack: program.hash.clone(), at: now(), reason: error.to_string() });
        self.running = self.coming.take();
        self.emf = self.emf.take().map(|emf| emf.of_the_next());
        self.observe(true).await;
        match &self.running {
            Some(next) => {
                self.warn(&format!("pack {} ended: {error}; pack {} takes its place", program.hash, next.hash));
                Ok(())
            }
            None => Err(error.into()),
        }
    }

    /// What was to take over ended: what runs goes on.
    async fn coming_ended(&mut self, ended: Result<RunReport, RunError>) -> Result<()> {
        let Some(program) = self.coming.take() else { return Ok(()) };
        let error = error_of(ended);
        self.say_end(&program, &error);
        if is_fenced(&error) {
            return Err(error.into());
        }
        let wanted = self.wanted.as_ref().map(|wanted| wanted.id.clone()).unwrap_or_default();
        self.refuse(wanted, program.hash.clone(), error.to_string());
        self.observe(true).await;
        Ok(())
    }

    /// Ends all with their last checkpoints. `weir serve` sees to it that this does not take for ever.
    async fn stop(&mut self) -> Result<()> {
        for program in [&self.running, &self.coming].into_iter().flatten() {
            program.ask_to_stop();
        }
        if let Some(mut coming) = self.coming.take()
            && let Err(error) = coming.end().await
        {
            self.warn(&format!("pack {} ended: {error}", coming.hash));
        }
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let ended = running.end().await;
        self.say_metrics_of(&mut running);
        summary::print(&running.stats.report(), self.format);
        Ok(ended.map(|_| ())?)
    }

    /// Ends one that is not wanted any more.
    async fn stop_program(&mut self, program: Running) {
        let hash = program.hash.clone();
        match program.stop().await {
            Ok(()) => log::say(self.format, &format!("pack {hash} has ended")),
            Err(error) => self.warn(&format!("pack {hash} ended without a last checkpoint: {error}")),
        }
    }

    /// Says how the engine is, when something has changed, while something is to change, and now and then.
    async fn observe(&mut self, at_once: bool) {
        self.observed.running = self.running.as_mut().map(Running::observed);
        self.observed.coming = self.coming.as_mut().map(Running::observed);
        // A first checkpoint is what a deploy waits for.
        let young = self.observed.running.as_ref().is_some_and(|running| running.checkpoints <= 1);
        let due = self.written.is_none_or(|written| written.elapsed() >= Duration::from_secs(OBSERVED_SECONDS));
        if !(at_once || due || young || self.coming.is_some()) {
            return;
        }
        self.observed.at = now();
        match self.bucket.observe(&self.observed).await {
            Ok(()) => {
                // It may read and write there.
                self.health.reached();
                self.written = Some(Instant::now());
            }
            Err(error) => self.warn(&format!("how the engine is cannot be written: {error:#}")),
        }
    }

    fn say_metrics(&mut self) {
        if let Some(mut running) = self.running.take() {
            self.say_metrics_of(&mut running);
            self.running = Some(running);
        }
    }

    fn say_metrics_of(&mut self, program: &mut Running) {
        say_metrics(self.emf.as_mut(), &program.stats.report(), Some(&mut program.checkpoint));
    }

    fn say_end(&self, program: &Running, error: &RunError) {
        summary::print(&program.stats.report(), self.format);
        if let Some(emf) = &self.emf {
            let how = if is_fenced(error) { "fenced" } else { "failed" };
            eprintln!("{}", emf.end(how, chrono::Utc::now().timestamp_millis()));
        }
    }

    fn warn(&self, message: &str) {
        log::warn(self.format, message);
    }
}

/// How a program ends; never where there is none.
async fn end(program: &mut Option<Running>) -> Result<RunReport, RunError> {
    match program {
        Some(program) => program.end().await,
        None => std::future::pending().await,
    }
}

/// A program that reads streams has no end: one that ends by itself has failed.
fn error_of(ended: Result<RunReport, RunError>) -> RunError {
    match ended {
        Ok(_) => RunError::Query("the program has read all that there is, and is no service".to_owned()),
        Err(error) => error,
    }
}

/// The present, as it is written down.
fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// The id of the task in ECS, which gives each container an address that ends with it; elsewhere the process.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html>
fn task() -> String {
    let address = std::env::var("ECS_CONTAINER_METADATA_URI_V4").unwrap_or_default();
    match address.rsplit('/').next().filter(|last| !last.is_empty()) {
        Some(container) => container.split('-').next().unwrap_or(container).to_owned(),
        None => format!("process {}", std::process::id()),
    }
}
