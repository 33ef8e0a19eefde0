//! The scoreboard of detection: rules and peers on the Numenta Anomaly Benchmark, on labelled series of other origins, and on
//! generated events with faults and without.
//!
//! usage: detect --weir BINARY [--nab NAB] [--series FOLDER] [--folder FOLDER] [--rules RULE,…] [--parallelism N]
//!
//! `--series` names a folder with SERIES.csv (columns `file` and `origin`) and the files that it names, gzipped CSV of `value,label`
//! rows. `--nab` names a copy of numenta/NAB. Without one of them its columns stay empty. Prints a Markdown table.
//!
//! No threshold is chosen on what it is reported on: series go into two halves by a hash of their name, a threshold is chosen on
//! each for a budget of false alerts, and what it gives on the other half is reported, as the mean of both ways.

mod peers;
mod score;
mod series;

use std::{
    collections::BTreeMap,
    fs,
    io::{Write, stdout},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use score::{Judged, Total, judge};
use serde_json::Value;
use series::Series;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str =
    "usage: detect --weir BINARY [--nab NAB] [--series FOLDER] [--folder FOLDER] [--rules RULE,…] [--parallelism N]";
/// The rules that are scored where none is named.
const RULES: &str = "surprise,forecast_residual,adaptive,records,random_cut_forest,zscore,robust_zscore,level_shift";
/// False alerts per 1,000 rows that a threshold may cost on the half on which it is chosen: one in five days of five-minute rows.
const BUDGET: f64 = 0.67;
/// Seeds of generated events: each is three sources of two metrics for 14 days.
const SEEDS: u64 = 2;
/// Rows of one seed: six series, 14 days, five minutes.
const GENERATED_ROWS: f64 = 6.0 * 14.0 * 288.0;

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut named: BTreeMap<&str, &str> = BTreeMap::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let name = argument.strip_prefix("--").ok_or(USAGE)?;
        named.insert(name, rest.next().ok_or(USAGE)?);
    }
    let board = Board {
        weir: fs::canonicalize(named.get("weir").ok_or(USAGE)?)?,
        nab: named.get("nab").map(PathBuf::from),
        folder: named.get("folder").map_or_else(|| ".weir/detect".into(), PathBuf::from),
        parallelism: (*named.get("parallelism").unwrap_or(&"2")).to_owned(),
    };
    let series = named.get("series").map(|folder| series::read(Path::new(folder))).transpose()?.unwrap_or_default();
    let layout = board.folder.join("series");
    if !series.is_empty() {
        series::lay_out(&series, &layout)?;
    }
    let mut out = stdout();
    writeln!(out, "{} labelled series, {} rows\n", series.len(), series.iter().map(|s| s.values.len()).sum::<usize>())?;
    writeln!(
        out,
        "| detector | NAB | recall | false | alerts a find | as shipped: recall | false | alerts a find | faults found | clean |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|---|")?;
    for rule in named.get("rules").unwrap_or(&RULES).split(',') {
        let nab = board.nab.as_ref().map(|nab| board.nab_score(rule, nab)).transpose()?;
        let scores = if series.is_empty() { Vec::new() } else { board.replay(rule, &layout, &series)? };
        let shipped = board.shipped_threshold(rule)?;
        let (found, clean) = board.generated(rule)?;
        let row = Row {
            name: format!("`{rule}`"),
            nab,
            halves: halves(&series, &scores),
            shipped: total(&series, &scores, shipped),
        };
        writeln!(out, "{} {found} | {clean:.2} |", row.text())?;
        out.flush()?;
    }
    if !series.is_empty() {
        for (name, peer) in peers::PEERS {
            let scores: Vec<Vec<f64>> = series.iter().map(|series| peer(&series.values)).collect();
            let row = Row { name: name.to_owned(), nab: None, halves: halves(&series, &scores), shipped: None };
            writeln!(out, "{} | |", row.text())?;
            out.flush()?;
        }
    }
    Ok(())
}

/// What is run for one scoreboard.
struct Board {
    weir: PathBuf,
    nab: Option<PathBuf>,
    /// Where files of a run go.
    folder: PathBuf,
    parallelism: String,
}

/// One line of the table.
struct Row {
    name: String,
    nab: Option<f64>,
    halves: Option<Total>,
    shipped: Option<Total>,
}

impl Row {
    fn text(&self) -> String {
        let nab = self.nab.map_or_else(String::new, |score| format!("{score:.1}"));
        let figures = |total: &Option<Total>| match total {
            Some(total) => {
                format!("{:.2} | {:.2} | {:.1}", total.recall(), total.false_alerts(), total.alerts_a_find())
            }
            None => " | | ".to_owned(),
        };
        format!("| {} | {nab} | {} | {} |", self.name, figures(&self.halves), figures(&self.shipped))
    }
}

/// All series at one threshold.
fn total(series: &[Series], scores: &[Vec<f64>], threshold: f64) -> Option<Total> {
    let judged: Vec<Judged> =
        series.iter().zip(scores).map(|(series, scores)| judge(scores, &series.labels, threshold)).collect();
    (!judged.is_empty()).then(|| Total::of(&judged))
}

/// Each half at the threshold that was chosen on the other.
fn halves(series: &[Series], scores: &[Vec<f64>]) -> Option<Total> {
    let mut judged = Vec::new();
    for half in [0, 1] {
        let of = |wanted: u64| series.iter().zip(scores).filter(move |(series, _)| series.half() == wanted);
        let threshold =
            score::threshold(&of(1 - half).map(|(s, scores)| (scores, &s.labels)).collect::<Vec<_>>(), BUDGET);
        judged.extend(of(half).map(|(series, scores)| judge(scores, &series.labels, threshold)));
    }
    (!judged.is_empty()).then(|| Total::of(&judged))
}

impl Board {
    fn weir(&self, arguments: &[&str]) -> Result<String, BoxError> {
        output(&self.weir, arguments)
    }

    /// The scorer, which is built beside the command.
    fn nab(&self, arguments: &[&str]) -> Result<String, BoxError> {
        output(&self.weir.with_file_name("weir-nab"), arguments)
    }

    /// The rule's standard score on the Numenta Anomaly Benchmark.
    fn nab_score(&self, rule: &str, nab: &Path) -> Result<f64, BoxError> {
        let nab = nab.display().to_string();
        let report = self.nab(&["--nab-dir", &nab, "--rules", rule, "--parallelism", &self.parallelism, "--json"])?;
        let report: Value = serde_json::from_str(&report)?;
        report["rules"][0]["profiles"][0]["score"].as_f64().ok_or_else(|| "weir-nab gave no score".into())
    }

    /// The rule's score of every row of every series.
    fn replay(&self, rule: &str, layout: &Path, series: &[Series]) -> Result<Vec<Vec<f64>>, BoxError> {
        let (layout, results) = (layout.display().to_string(), self.folder.join("results"));
        let out = results.display().to_string();
        self.nab(&["--nab-dir", &layout, "--rules", rule, "--parallelism", &self.parallelism, "--out", &out])?;
        series.iter().map(|series| series.result(&results.join(rule))).collect()
    }

    /// The threshold with which the rule ships; for a rule without one, all that it reports counts.
    fn shipped_threshold(&self, rule: &str) -> Result<f64, BoxError> {
        let pack = weir_rules::Pack::load(Path::new("sql")).map_err(|e| format!("sql: {e:?}"))?;
        let parameters = pack.rule(rule).map(|rule| &rule.header.parameters);
        let threshold = parameters.and_then(|p| p.get("threshold")).and_then(|p| p.default.as_float());
        Ok(threshold.unwrap_or(f64::MIN_POSITIVE))
    }

    /// Faults that the rule finds in generated events, and what it says of 1,000 clean rows.
    fn generated(&self, rule: &str) -> Result<(String, f64), BoxError> {
        let file = |name: String| self.folder.join(name).display().to_string();
        fs::create_dir_all(&self.folder)?;
        let (mut found, mut faults, mut clean) = (0, 0, 0.0);
        for seed in 1..=SEEDS {
            let seed_text = seed.to_string();
            let (events, labels) = (file(format!("faults-{seed}.jsonl")), file(format!("faults-{seed}.json")));
            fs::write(&events, self.weir(&["generate", "--seed", &seed_text, "--labels-out", &labels])?)?;
            let report =
                self.weir(&["backtest", "--rules", rule, "--labels", &labels, "--json", "--input", &events])?;
            let report: Value = serde_json::from_str(&report)?;
            let missed = report["missed_labels"].as_array().map_or(0, Vec::len);
            let all = serde_json::from_str::<Value>(&fs::read_to_string(&labels)?)?.as_array().map_or(0, Vec::len);
            (found, faults) = (found + all - missed.min(all), faults + all);
            let events = file(format!("clean-{seed}.jsonl"));
            fs::write(&events, self.weir(&["generate", "--clean", "--seed", &seed_text])?)?;
            let report: Value =
                serde_json::from_str(&self.weir(&["backtest", "--rules", rule, "--json", "--input", &events])?)?;
            clean += report["all"]["would_be_alerts"].as_f64().unwrap_or(0.0);
        }
        #[expect(clippy::cast_precision_loss, reason = "a few seeds")]
        let rows = SEEDS as f64 * GENERATED_ROWS;
        Ok((format!("{found} of {faults}"), 1000.0 * clean / rows))
    }
}

/// What a command prints; an error with what it says where it fails.
fn output(command: &Path, arguments: &[&str]) -> Result<String, BoxError> {
    let output = Command::new(command).args(arguments).stderr(Stdio::piped()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} {}: {said}", command.display(), arguments.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
