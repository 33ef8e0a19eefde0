//! The benchmark's series and label windows, as its repository lays them out.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use weir_anomaly::Timestamp;

/// A labelled series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// `category/file.csv`.
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
    /// First and last instant of each window, both inside.
    pub(crate) windows: Vec<(Timestamp, Timestamp)>,
}

/// One reading.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) timestamp: Timestamp,
    pub(crate) value: f64,
    /// Both as the file has them, for result files.
    pub(crate) text: (String, String),
}

const LABELS: &str = "labels/combined_windows.json";

/// Reads the series that have labels, in order of name.
pub(crate) fn read(folder: &Path) -> Result<Vec<Series>> {
    let file = folder.join(LABELS);
    let text = fs::read_to_string(&file).with_context(|| {
        format!(
            "{} cannot be read\n  hint: --nab-dir names a folder with data/ and {LABELS}, as in numenta/NAB",
            file.display()
        )
    })?;
    let labels: BTreeMap<String, Vec<(String, String)>> =
        serde_json::from_str(&text).with_context(|| format!("{}: not the labels of NAB", file.display()))?;
    if labels.is_empty() {
        bail!("{} names no series", file.display());
    }
    labels
        .into_iter()
        .map(|(name, windows)| {
            let windows = windows
                .iter()
                .map(|(first, last)| Ok((time(first)?, time(last)?)))
                .collect::<Result<Vec<_>>>()
                .with_context(|| format!("{}: {name}", file.display()))?;
            let rows = rows(&folder.join("data").join(&name))?;
            Ok(Series { name, rows, windows })
        })
        .collect()
}

fn rows(file: &PathBuf) -> Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("{}: not CSV", file.display()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let (timestamp, value) = (record.get(0).unwrap_or_default(), record.get(1).unwrap_or_default());
        let at = || format!("{}:{line}", file.display());
        let number = value.parse().ok().filter(|v: &f64| v.is_finite());
        rows.push(Row {
            timestamp: time(timestamp).with_context(at)?,
            value: number.with_context(|| format!("`{value}` is no finite number")).with_context(at)?,
            text: (timestamp.to_owned(), value.to_owned()),
        });
    }
    Ok(rows)
}

fn time(text: &str) -> Result<Timestamp> {
    text.parse().map_err(|_| anyhow!("`{text}` is no time"))
}

/// Writes the benchmark's result file of one series: `category/file.csv` below a folder.
pub(crate) fn write_result(folder: &Path, series: &Series, scores: &[f64]) -> Result<()> {
    let file = folder.join(&series.name);
    let written = || format!("{} cannot be written", file.display());
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(written)?;
    }
    let mut writer = csv::Writer::from_path(&file).with_context(written)?;
    writer.write_record(["timestamp", "value", "anomaly_score"]).with_context(written)?;
    for (row, score) in series.rows.iter().zip(scores) {
        writer.write_record([&row.text.0, &row.text.1, &score.to_string()]).with_context(written)?;
    }
    writer.flush().with_context(written)
}
