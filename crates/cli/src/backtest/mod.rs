//! `weir backtest`: what the rules would have said about history.
//!
//! [`input`] finds the events, [`history`] holds them in order of time, [`replay`] runs the rules on them, [`score`] and
//! [`report`] say what came of it, [`plot`] draws it, and [`compare`] sets two packs of rules side by side.

mod compare;
mod cost;
mod history;
mod input;
mod plot;
mod replay;
mod report;
mod score;
mod starved;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use weir_anomaly::{Anomaly, Stage, Timestamp};
use weir_project::{
    EnvironmentOptions, Repo,
    compile::{check_udfs, joined, load_pack},
};
use weir_rules::{Environment, Pack, TimeMode, compile};

use crate::{columns::ColumnOptions, data::labels, data::labels::Label, data::read::Columns, target::Target};
use history::History;
pub(crate) use history::Points;

use replay::{Replayed, Span, grouped};
use report::Report;

/// Replays history through the rules at full speed, and says what they would have found
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir backtest --input readings.csv --plot plot.svg\n  weir backtest --input history/ --rules zscore --labels labels.json --json\n  weir backtest --input s3://my-bucket/readings/2026/ --json\n  weir backtest --input kinesis://weir-events --compare main --markdown"
)]
pub(crate) struct BacktestCommand {
    /// A file (JSON, CSV with a header line, either also as gzip or zstd, or Parquet), a folder of such files, s3://BUCKET/PREFIX for
    /// the same in S3, or kinesis://STREAM for what the stream keeps
    #[arg(long, required = true, num_args = 1.., value_name = "FILE|FOLDER|s3://BUCKET/PREFIX|kinesis://STREAM")]
    input: Vec<String>,
    /// Only these rules: names, their files, or folders of them
    #[arg(long, num_args = 1.., value_delimiter = ',', value_name = "RULE")]
    rules: Vec<String>,
    #[command(flatten)]
    environment: EnvironmentOptions,
    #[command(flatten)]
    columns: ColumnOptions,
    /// Reports only anomalies from this time on; earlier events still fill windows
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Ends the history here
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// What is known to be wrong: what `weir generate --labels-out` writes, or NAB's combined_windows.json
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Writes the anomalies, one JSON object a line
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draws series, expected bands, anomalies and labels
    #[arg(long, value_name = "FILE.svg|FILE.html")]
    plot: Option<PathBuf>,
    /// At most so many series in the plot
    #[arg(long, default_value_t = 12, value_name = "COUNT")]
    plot_series: usize,
    /// Says what the rules gain and lose against those of a git revision, or of another folder with tables.sql and rules
    #[arg(long, value_name = "REVISION|FOLDER")]
    compare: Option<String>,
    /// Prints Markdown, fit for a comment on a pull request
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Prints the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) async fn run(command: BacktestCommand) -> Result<()> {
    if let Some(plot) = &command.plot {
        plot::check_name(plot)?;
    }
    let repo = Repo::find()?;
    let rules = Rules::load(&repo, &repo.sql(), &command)?;
    // Faults of the rules are told before anything is read.
    let other = command.compare.as_deref().map(|with| compare::Other::load(&repo, with, &command)).transpose()?;
    let span = Span { from: command.from, to: command.to };
    let history = input::read(&command.input, &command.columns.columns(), &command.target, command.to).await?;
    let labels = match &command.labels {
        Some(file) => known(labels::read(file, |source| history.has_source(source))?, &history, span),
        None => Vec::new(),
    };
    let labels = command.labels.is_some().then_some(labels.as_slice());
    let replayed = replay::replay(&rules, &history, span).await?;
    if let Some(file) = &command.out {
        write_anomalies(file, &replayed)?;
    }
    if let Some(file) = &command.plot {
        eprintln!("drawing: what the rules expected all along");
        let expectations = plot::expectations(&rules, &history).await?;
        plot::write(file, &history, &replayed, labels.unwrap_or_default(), &expectations, command.plot_series)?;
        eprintln!("plot written to {}", file.display());
    }
    let refused_by_rules = replayed.poison.values().sum();
    let report = Report::new(&rules, &history, &replayed, labels)?;
    if let Some(other) = other {
        let before = replay::replay(&other.rules, &history, span).await?;
        let before = compare::Side { report: Report::new(&other.rules, &history, &before, labels)?, replayed: before };
        let after = compare::Side { report, replayed };
        let comparison = compare::Comparison::new(&other.name, &before, &after);
        print(&comparison, command.json, command.markdown.then(|| comparison.markdown()))?;
    } else {
        print(&report, command.json, command.markdown.then(|| report.markdown()))?;
    }
    judged(&history, refused_by_rules)
}

/// A backtest in which most records were no events says nothing about the rules: that is an error.
fn judged(history: &History, refused_by_rules: usize) -> Result<()> {
    if refused_by_rules * 2 > history.events {
        bail!(
            "the rules' tables refused {} of {} events: what was replayed is not what they read\n  hint: sql/tables.sql maps records of another shape; test such rules with `events` in sql/tests",
            grouped(refused_by_rules),
            grouped(history.events)
        );
    }
    let refused = history.refused.count();
    if refused > history.events {
        bail!(
            "{} of {} records are no events, as the stream would have it\n  hint: the lines above name the first of each kind; --timestamp and --value name other fields",
            grouped(refused),
            grouped(refused.saturating_add(history.events))
        );
    }
    Ok(())
}

fn print<T: serde::Serialize + std::fmt::Display>(what: &T, json: bool, markdown: Option<String>) -> Result<()> {
    match markdown {
        Some(text) => print!("{text}"),
        None if json => println!("{}", serde_json::to_string_pretty(what).context("the report as JSON")?),
        None => println!("{what}"),
    }
    Ok(())
}

/// What rules say of events now, for `weir explain`.
#[derive(Debug)]
pub(crate) struct Recomputed {
    /// The readings of the series that were asked for, by name: `source/metric`.
    pub(crate) series: BTreeMap<String, Points>,
    pub(crate) anomalies: Vec<Anomaly>,
}

/// Replays inputs through a pack as it is; gives the readings of the series, or of the source, of that name.
pub(crate) async fn recompute(
    key: &str,
    pack: Pack,
    environment: Environment,
    inputs: &[String],
    columns: &Columns,
    target: &Target,
) -> Result<Recomputed> {
    let rules = Rules::compile(pack, environment, false)?;
    let history = input::read(inputs, columns, target, None).await?;
    let replayed = replay::replay(&rules, &history, Span::default()).await?;
    let points = history.points(|name, series| name == key || series.source == key)?;
    let series = points.into_iter().map(|(name, points)| (name.to_owned(), points)).collect();
    Ok(Recomputed { series, anomalies: replayed.anomalies })
}

/// A pack, ready to be replayed.
#[derive(Debug)]
struct Rules {
    pack: Pack,
    environment: Environment,
    program: weir_rules::Program,
}

impl Rules {
    fn load(repo: &Repo, sql: &Path, command: &BacktestCommand) -> Result<Self> {
        let whole = load_pack(sql)?;
        check_udfs(sql)?;
        let environment = command.environment.load(repo, &whole)?;
        let rules = Self::compile(select(whole, &command.rules)?, environment, !command.rules.is_empty())?;
        if rules.program.rules.is_empty() {
            bail!("every rule is at stage \"off\"\n  hint: --rules NAME replays a rule at any stage");
        }
        Ok(rules)
    }

    /// The rules to compare with, in their own environment where they have one of that name: it may set what only they
    /// declare. A rule that they do not have is new, so it is no fault to ask for it.
    fn load_other(repo: &Repo, sql: &Path, command: &BacktestCommand) -> Result<Self> {
        let whole = load_pack(sql)?;
        let options = &command.environment;
        let own = sql.join("environments").join(format!("{}.toml", options.environment));
        let environment = match fs::read_to_string(&own) {
            Ok(text) => Environment::parse(&own, &text)?,
            // The environment here, which may name rules that they do not have; its own faults were told before.
            Err(_) => EnvironmentOptions { set: Vec::new(), ..options.clone() }.load_beside(repo, &whole, &[])?.0,
        };
        // A folder stands for what is in it here.
        let own = load_pack(&repo.sql())?;
        let mut wanted: Vec<String> = command.rules.iter().flat_map(|asked| named(&own, asked)).collect();
        wanted.extend(command.rules.iter().map(|asked| rule_name(asked)));
        let wanted = |name: &String| wanted.is_empty() || wanted.contains(name);
        let rules = whole.rules.into_iter().filter(|rule| wanted(&rule.header.name)).collect();
        Self::compile(Pack { rules, ..whole }, environment, !command.rules.is_empty())
    }

    /// History keeps no time of arrival: the event's own time stands for both. A rule that was asked for by name is active
    /// even where it is off: whoever picks a rule wants it.
    fn compile(mut pack: Pack, environment: Environment, picked: bool) -> Result<Self> {
        let mut environment = Environment { time: TimeMode::Event, ..environment };
        for rule in &mut pack.rules {
            rule.header.stage = match environment.stage(rule) {
                Stage::Off if picked => Stage::Active,
                stage => stage,
            };
        }
        environment.rules.clear();
        let program = compile(&pack, &environment).map_err(joined)?;
        Ok(Self { pack, environment, program })
    }
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
            bail!("there is no rule `{}`\n  hint: the rules are {}", rule_name(asked), known.join(", "));
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
