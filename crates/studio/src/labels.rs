//! What is known to be wrong in the history: the project's labels file, and what generated data bring with them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, bail};
use weir_anomaly::Timestamp;
use weir_backtest::{
    data::labels::{self, Kind, Label},
    workbench::Workbench,
};
use weir_project::files::replace;

use crate::api::contract::{LabelEntry, LabelRemoval};

/// The labels of a history.
#[derive(Debug)]
pub(crate) struct Labels {
    /// Where new ones go.
    pub(crate) file: PathBuf,
    /// Those of generated data.
    generated: Vec<Label>,
    /// Those of the file that are about this history.
    of_file: Mutex<Vec<Label>>,
}

impl Labels {
    /// Reads the file, where there is one.
    pub(crate) fn open(file: PathBuf, generated: Vec<Label>, bench: &Workbench) -> Result<Self> {
        let of_file = if file.is_file() { labels::read(&file, |source| bench.has_source(source))? } else { Vec::new() };
        Ok(Self { file, generated, of_file: Mutex::new(of_file) })
    }

    /// All of them; `None` where nobody has labelled anything, so that there is nothing to be right or wrong about.
    pub(crate) fn all(&self) -> Option<Vec<Label>> {
        let mut all = self.generated.clone();
        all.extend(self.of_file().iter().cloned());
        (!all.is_empty()).then_some(all)
    }

    /// As the page has them.
    pub(crate) fn entries(&self) -> Vec<LabelEntry> {
        let all = self.all().unwrap_or_default();
        let own = self.generated.len();
        let entry = |(index, label): (usize, Label)| LabelEntry {
            index,
            kind: label.kind.as_str().to_owned(),
            source: label.source,
            metric: label.metric,
            start: millis(label.start),
            end: millis(label.end),
            own: index >= own,
        };
        all.into_iter().enumerate().map(entry).collect()
    }

    /// Writes a label to the file.
    pub(crate) fn add(&self, bench: &Workbench, key: &str, start: Timestamp, end: Timestamp) -> Result<()> {
        if end < start {
            bail!("a label ends after it begins");
        }
        let overview = bench.overview();
        let series = overview.series.iter().find(|series| series.name == key);
        let (source, metric) = match series {
            Some(series) => (series.source.clone(), Some(series.metric.clone())),
            None if bench.has_source(key) => (key.to_owned(), None),
            None => bail!("{key} is neither a series nor a source of this history\n  hint: choose one in the table"),
        };
        let label = Label { kind: Kind::Labelled, source, metric, start, end };
        self.change(bench, |all| {
            all.push(label);
            Ok(())
        })
    }

    /// Takes a label of the file back: the one that the page shows, wherever it stands in the file by now.
    pub(crate) fn remove(&self, bench: &Workbench, shown: &LabelRemoval) -> Result<()> {
        self.change(bench, |all| {
            let at = all.iter().position(|label| is_shown(label, shown)).with_context(|| {
                if self.generated.iter().any(|label| is_shown(label, shown)) {
                    "labels of generated data stay"
                } else {
                    "this label is not in the file any more, or was changed\n  hint: load the page anew to see those that are"
                }
            })?;
            all.remove(at);
            Ok(())
        })
    }

    /// Reads the whole file anew, changes it, and puts it into its place in one step.
    fn change(&self, bench: &Workbench, change: impl FnOnce(&mut Vec<Label>) -> Result<()>) -> Result<()> {
        let mut all = own(&self.file)?;
        change(&mut all)?;
        replace(&self.file, &serde_json::to_vec_pretty(&all)?)?;
        *self.of_file() = all.into_iter().filter(|label| bench.has_source(&label.source)).collect();
        Ok(())
    }

    fn of_file(&self) -> MutexGuard<'_, Vec<Label>> {
        self.of_file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Times as the page has them.
fn millis(time: Timestamp) -> i64 {
    time.nanos().div_euclid(1_000_000)
}

fn is_shown(label: &Label, shown: &LabelRemoval) -> bool {
    label.kind.as_str() == shown.kind
        && label.source == shown.source
        && label.metric == shown.metric
        && (millis(label.start), millis(label.end)) == (shown.start, shown.end)
}

/// What a file of our own form holds.
fn own(file: &Path) -> Result<Vec<Label>> {
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} is not in the form that labels are written in\n  hint: start weir studio with another --labels file; one that is not there yet is made",
            file.display()
        )
    })
}
