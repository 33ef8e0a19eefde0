//! Backtests: what the rules would have said about history.
//!
//! [`data`] reads and makes events, [`input`] finds them, [`history`] holds them in order of time, [`replay`] runs the rules on
//! them, [`score`] and [`report`] say what came of it, [`plot`] draws it, and [`compare`] sets two packs of rules side by side.

#![allow(clippy::print_stderr, reason = "progress and notes are told on standard error")]

#[macro_use]
extern crate weir_terminal;

mod compare;
mod cost;
pub mod data;
mod history;
mod input;
mod plot;
mod recompute;
mod replay;
mod report;
mod score;
mod starved;
#[cfg(test)]
mod tests;
mod watched;
pub mod workbench;

use std::{
    fmt, fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use weir_anomaly::{Stage, Timestamp};
use weir_cloud::Clients;
use weir_engine::RunOptions;
use weir_project::{
    EnvironmentOptions, Repo,
    compile::{check_udfs, joined, load_pack},
};
use weir_rules::{Environment, Interval, Pack, StreamFile, TimeMode, compile, streams_of};

use compare::Comparison;
use data::{
    labels::{self, Label},
    read::Columns,
};
pub use history::Points;
use history::{History, declared::Reader};
pub use recompute::{Recomputed, kinesis_input, recompute};

use replay::{Replayed, Span, grouped};
use report::Report;

/// What to replay, through which rules, and what is wanted of it.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestOptions {
    /// Files, folders, `s3://BUCKET/PREFIX` or `kinesis://STREAM`.
    pub input: Vec<String>,
    /// The declared stream whose raw records the input holds; `None`: Weir's own events, or rows of other columns.
    pub stream: Option<String>,
    /// How far apart records of a stream that goes by arrival arrive, where the input does not keep when.
    pub every: Option<Interval>,
    /// Only these rules: names, their files, or folders of them; all without any.
    pub rules: Vec<String>,
    /// The environment that the rules are compiled for.
    pub environment: EnvironmentOptions,
    /// Which columns or fields of files hold what.
    pub columns: Columns,
    /// Only anomalies from this time on are reported; earlier events still fill windows.
    pub from: Option<Timestamp>,
    /// History ends here.
    pub to: Option<Timestamp>,
    /// What is known to be wrong, in a form that [`labels::read`] reads.
    pub labels: Option<PathBuf>,
    /// Where anomalies are written, one JSON object a line.
    pub out: Option<PathBuf>,
    /// Where series, expected bands, anomalies and labels are drawn.
    pub plot: Option<PathBuf>,
    /// At most so many series in the plot.
    pub plot_series: usize,
    /// A git revision, or another folder with tables.sql and rules, to compare with.
    pub compare: Option<String>,
}

/// What came of a backtest.
#[derive(Debug)]
pub struct Backtest {
    /// What the rules found.
    pub answer: Answer,
    /// An error where most records were no events: such an answer says nothing about the rules.
    pub judgement: Result<()>,
}

/// A report on the rules, or a comparison of two packs of them: as text, as Markdown, and as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Answer(Kind);

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Kind {
    Report(Box<Report>),
    Comparison(Box<Comparison>),
}

impl Answer {
    /// As Markdown, fit for a comment on a pull request.
    #[must_use]
    pub fn markdown(&self) -> String {
        match &self.0 {
            Kind::Report(report) => report.markdown(),
            Kind::Comparison(comparison) => comparison.markdown(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Report(report) => report.fmt(f),
            Kind::Comparison(comparison) => comparison.fmt(f),
        }
    }
}

/// Replays history through the rules of the project here. `connect` gives clients of AWS, once an input lies there.
///
/// # Errors
/// When the rules, the input or the labels cannot be read, or what is wanted cannot be written.
pub async fn backtest(options: &BacktestOptions, connect: &impl AsyncFn() -> Result<Clients>) -> Result<Backtest> {
    if let Some(plot) = &options.plot {
        plot::check_name(plot)?;
    }
    let repo = Repo::find()?;
    let rules = Rules::load(&repo, &repo.sql(), options)?;
    // Faults of the rules are told before anything is read.
    let other = options.compare.as_deref().map(|with| compare::Other::load(&repo, with, options)).transpose()?;
    let span = Span { from: options.from, to: options.to };
    let history = match rules.stream(options)? {
        Some(reader) => {
            if !options.columns.are_usual() {
                bail!(
                    "--as reads records as the stream's file says: leave out --timestamp, --value, --source and --metric"
                );
            }
            input::declared::read(&options.input, reader, connect, options.to).await?
        }
        None => {
            input::read(&options.input, &options.columns, connect, options.to).await.map_err(|e| rules.hinted(e))?
        }
    };
    let labels = match &options.labels {
        Some(file) => known(labels::read(file, |source| history.has_source(source))?, &history, span),
        None => Vec::new(),
    };
    let labels = options.labels.is_some().then_some(labels.as_slice());
    let replayed = replay::replay(&rules, &history, span).await?;
    if let Some(file) = &options.out {
        write_anomalies(file, &replayed)?;
    }
    if let Some(file) = &options.plot {
        eprintln!("drawing: what the rules expected all along");
        let expectations = plot::expectations(&rules, &history, RunOptions::default()).await?;
        plot::write(file, &history, &replayed, labels.unwrap_or_default(), &expectations, options.plot_series)?;
        eprintln!("plot written to {}", file.display());
    }
    let refused_by_rules = replayed.poison.values().sum();
    let judgement =
        judged(&history, refused_by_rules).map_err(|e| if options.stream.is_none() { rules.hinted(e) } else { e });
    let report = Report::new(&rules, &history, &replayed, labels)?;
    let kind = if let Some(other) = other {
        let before = replay::replay(&other.rules, &history, span).await?;
        let before = compare::Side { report: Report::new(&other.rules, &history, &before, labels)?, replayed: before };
        let after = compare::Side { report, replayed };
        Kind::Comparison(Box::new(Comparison::new(&other.name, &before, &after)))
    } else {
        Kind::Report(Box::new(report))
    };
    Ok(Backtest { answer: Answer(kind), judgement })
}

/// A backtest in which most records were no events says nothing about the rules: that is an error.
fn judged(history: &History, refused_by_rules: usize) -> Result<()> {
    if refused_by_rules * 2 > history.events {
        bail!(
            "the rules' tables refused {} of {} events: what was replayed is not what they read\n  hint: tables.sql maps records of another shape; test such rules with `events` in their tests",
            grouped(refused_by_rules),
            grouped(history.events)
        );
    }
    let refused = history.refused.count();
    if let Some(stream) = history.stream.as_deref().filter(|_| refused > history.events) {
        bail!(
            "{} of {} records are refused by the stream `{stream}`\n  hint: the lines above name the first of each kind; weir rows {stream} --input … shows them one by one",
            grouped(refused),
            grouped(refused.saturating_add(history.events))
        );
    }
    if refused > history.events {
        bail!(
            "{} of {} records are no events, as the stream would have it\n  hint: the lines above name the first of each kind; --timestamp and --value name other fields",
            grouped(refused),
            grouped(refused.saturating_add(history.events))
        );
    }
    Ok(())
}

/// A pack, ready to be replayed.
#[derive(Debug)]
struct Rules {
    pack: Pack,
    environment: Environment,
    program: weir_rules::Program,
}

impl Rules {
    fn load(repo: &Repo, sql: &Path, options: &BacktestOptions) -> Result<Self> {
        let whole = load_pack(sql)?;
        check_udfs(sql)?;
        let environment = options.environment.load(repo, &whole)?;
        let selected = reading(select(whole, &options.rules)?, &environment, options)?;
        let rules = Self::compile(selected, environment, !options.rules.is_empty())?;
        if rules.program.rules.is_empty() {
            bail!("every rule is at stage \"off\"\n  hint: --rules NAME replays a rule at any stage");
        }
        Ok(rules)
    }

    /// The rules to compare with, in their own environment where they have one of that name: it may set what only they
    /// declare. A rule that they do not have is new, so it is no fault to ask for it.
    fn load_other(repo: &Repo, sql: &Path, options: &BacktestOptions) -> Result<Self> {
        let whole = load_pack(sql)?;
        let chosen = &options.environment;
        let own = sql.join("environments").join(format!("{}.toml", chosen.name(repo)));
        let environment = match fs::read_to_string(&own) {
            Ok(text) => Environment::parse(&own, &text)?,
            // The environment here, which may name rules that they do not have; its own faults were told before.
            Err(_) => EnvironmentOptions { set: Vec::new(), ..chosen.clone() }.load_beside(repo, &whole, &[])?.0,
        };
        // A folder stands for what is in it here.
        let own = load_pack(&repo.sql())?;
        let mut wanted: Vec<String> = options.rules.iter().flat_map(|asked| named(&own, asked)).collect();
        wanted.extend(options.rules.iter().map(|asked| rule_name(asked)));
        let wanted = |name: &String| wanted.is_empty() || wanted.contains(name);
        let rules = whole.rules.iter().filter(|rule| wanted(&rule.header.name)).cloned().collect();
        let mut chosen = Pack { rules, ..whole };
        if let Some(name) = &options.stream {
            let there = chosen.streams.iter().any(|stream| stream.declaration.name == *name);
            if !there {
                bail!(
                    "they do not know the stream `{name}`, so that there is nothing to compare with\n  hint: leave out --compare, or compare with a revision that has sql/streams/{name}.toml"
                );
            }
            chosen.rules = of_stream(&chosen, &environment, name);
        }
        Self::compile(chosen, environment, !options.rules.is_empty())
    }

    /// History keeps no time of arrival: the event's own time stands for both. A rule that was asked for by name is active
    /// even where it is off: a rule that is picked is wanted.
    fn compile(mut pack: Pack, environment: Environment, picked: bool) -> Result<Self> {
        let mut environment = Environment { time: TimeMode::Event, ..environment };
        for rule in &mut pack.rules {
            rule.header.stage = match environment.stage(rule) {
                Stage::Off if picked => Stage::Active,
                stage => stage,
            };
            rule.header.stream = environment.stream(rule).map(str::to_owned);
        }
        environment.rules.clear();
        let program = compile(&pack, &environment).map_err(joined)?;
        Ok(Self { pack, environment, program })
    }
}

impl Rules {
    /// What reads the input as a declared stream.
    fn stream(&self, options: &BacktestOptions) -> Result<Option<Reader>> {
        let Some(name) = &options.stream else {
            if options.every.is_some() {
                bail!("--every is for streams that go by arrival: --as names one");
            }
            return Ok(None);
        };
        let stream = declared(&self.pack, name)?;
        let every = options.every.map(|every| i64::try_from(every.duration().as_nanos()).unwrap_or(i64::MAX));
        if every.is_some() && stream.declaration.carries_time() {
            bail!("--every is for streams that go by arrival: the records of `{name}` say when they were");
        }
        Ok(Some(Reader::new(&stream.declaration, every)))
    }

    /// Where the rules read one declared stream, somebody who replays what are no events may mean its records.
    fn hinted(&self, error: anyhow::Error) -> anyhow::Error {
        let mut streams: Vec<&str> = Vec::new();
        for rule in &self.pack.rules {
            let read = streams_of(&self.pack, rule, &self.environment);
            streams.extend(read.iter().map(|stream| stream.declaration.name.as_str()));
        }
        streams.sort_unstable();
        streams.dedup();
        match streams.as_slice() {
            [only] => anyhow!("{error:#}\n  hint: --as {only} reads records of the stream `{only}`"),
            _ => error,
        }
    }
}

fn declared<'a>(pack: &'a Pack, name: &str) -> Result<&'a StreamFile> {
    pack.streams.iter().find(|stream| stream.declaration.name == name).with_context(|| {
        let known: Vec<&str> = pack.streams.iter().map(|stream| stream.declaration.name.as_str()).collect();
        match known.is_empty() {
            true => format!("there is no stream `{name}`\n  hint: a stream is declared in streams/{name}.toml, beside the folder of rules"),
            false => format!("there is no stream `{name}`\n  hint: {}", weir_stream::did_you_mean(name, known)),
        }
    })
}

/// Of the rules, those that read the stream whose records are replayed.
fn reading(pack: Pack, environment: &Environment, options: &BacktestOptions) -> Result<Pack> {
    let Some(name) = &options.stream else { return Ok(pack) };
    declared(&pack, name)?;
    let rules = of_stream(&pack, environment, name);
    if rules.is_empty() {
        bail!(
            "no rule reads the stream `{name}`\n  hint: a rule says FROM {name}; one of the library takes its metrics with [rules.RULE] stream = \"{name}\""
        );
    }
    Ok(Pack { rules, ..pack })
}

/// The rules of a pack that read a declared stream.
fn of_stream(pack: &Pack, environment: &Environment, name: &str) -> Vec<weir_rules::Rule> {
    let reads =
        |rule: &&weir_rules::Rule| streams_of(pack, rule, environment).iter().any(|s| s.declaration.name == *name);
    pack.rules.iter().filter(reads).cloned().collect()
}

/// The rules that were asked for, by name, by file or by folder; all without any.
fn select(pack: Pack, wanted: &[String]) -> Result<Pack> {
    if wanted.is_empty() {
        return Ok(pack);
    }
    let mut names = Vec::new();
    for asked in wanted {
        let found = named(&pack, asked);
        if found.is_empty() {
            let known: Vec<&str> = pack.rules.iter().map(|rule| rule.header.name.as_str()).collect();
            let name = rule_name(asked);
            bail!("there is no rule `{name}`\n  hint: {}", weir_stream::did_you_mean(&name, known));
        }
        names.extend(found);
    }
    let rules = pack.rules.into_iter().filter(|rule| names.contains(&rule.header.name)).collect();
    Ok(Pack { rules, ..pack })
}

/// The names of the rules that something stands for.
fn named(pack: &Pack, asked: &str) -> Vec<String> {
    let name = rule_name(asked);
    let folder = fs::canonicalize(asked).ok().filter(|path| path.is_dir());
    let below =
        |file: &Path| folder.as_ref().is_some_and(|folder| fs::canonicalize(file).is_ok_and(|f| f.starts_with(folder)));
    let rules = pack.rules.iter().filter(|rule| rule.header.name == name || below(&rule.file));
    rules.map(|rule| rule.header.name.clone()).collect()
}

fn rule_name(asked: &str) -> String {
    let file = Path::new(asked);
    match file.extension() {
        Some(extension) if extension == "sql" => file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        _ => asked.to_owned(),
    }
}

/// The labels that lie in the part of history that is judged.
fn known(labels: Vec<Label>, history: &History, span: Span) -> Vec<Label> {
    let from = span.from.unwrap_or(history.first);
    labels.into_iter().filter(|label| label.end >= from && label.start <= history.end).collect()
}

fn write_anomalies(file: &Path, replayed: &Replayed) -> Result<()> {
    let what = || format!("{} cannot be written", file.display());
    let mut out = BufWriter::new(fs::File::create(file).with_context(what)?);
    for anomaly in &replayed.anomalies {
        serde_json::to_writer(&mut out, anomaly)?;
        out.write_all(b"\n").with_context(what)?;
    }
    out.flush().with_context(what)
}
