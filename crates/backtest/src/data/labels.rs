//! What is known to be wrong in a set of events.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use weir_anomaly::{Anomaly, Timestamp};

/// One thing that is known to be wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// What it is.
    pub kind: Kind,
    /// Where.
    pub source: String,
    /// In which metric; absent when it concerns the whole source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// From when on.
    pub start: Timestamp,
    /// Until when, inclusive.
    pub end: Timestamp,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One reading far off.
    Spike,
    /// The level changes at once.
    LevelShift,
    /// The level changes slowly.
    Drift,
    /// The reading does not move.
    FlatLine,
    /// Nothing is sent.
    Gap,
    /// Far too many events.
    Burst,
    /// Labelled by a person.
    Labelled,
}

impl Kind {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spike => "spike",
            Self::LevelShift => "level shift",
            Self::Drift => "drift",
            Self::FlatLine => "flat line",
            Self::Gap => "gap",
            Self::Burst => "burst",
            Self::Labelled => "labelled",
        }
    }
}

impl Label {
    /// Whether an anomaly is about this label: the same place, at a time within the label. A window ends a little after the
    /// reading that it is about; a long window says late what it is about, so two readings (`sampling` nanoseconds apart)
    /// are all the delay that a label allows it.
    #[must_use]
    pub fn is_found_by(&self, anomaly: &Anomaly, sampling: i64) -> bool {
        self.covers(anomaly, window_nanos(anomaly).min(sampling.saturating_mul(2)))
    }

    /// Whether anything of the label lies in what the anomaly looked at: a return to normal is seen after the fault is over.
    #[must_use]
    pub fn touches(&self, anomaly: &Anomaly, sampling: i64) -> bool {
        self.covers(anomaly, window_nanos(anomaly).max(sampling.saturating_mul(2)))
    }

    /// The same place, at a time within the label or at most `slack` nanoseconds after it.
    fn covers(&self, anomaly: &Anomaly, slack: i64) -> bool {
        let time = anomaly.timestamp;
        self.is_about(&anomaly.key) && self.start <= time && time.nanos() <= self.end.nanos().saturating_add(slack)
    }

    /// Whether a key is the label's series, or its source.
    #[must_use]
    pub fn is_about(&self, key: &str) -> bool {
        key == self.source || self.metric.as_ref().is_some_and(|metric| is_series(key, &self.source, metric))
    }
}

/// The length of the window that an anomaly is about; 0 for that of a single event.
fn window_nanos(anomaly: &Anomaly) -> i64 {
    match (anomaly.window_start, anomaly.window_end) {
        (Some(start), Some(end)) => end.since(start),
        _ => 0,
    }
}

fn is_series(key: &str, source: &str, metric: &str) -> bool {
    key.strip_prefix(source).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| rest == metric)
}

/// Reads labels, our own or NAB's (an object of file names to `[start, end]` windows, about the metric `value`), of the
/// sources that are asked for. The source of a file of NAB's is its name without `.csv`, as [`super::read`] has it.
///
/// # Errors
/// When the file cannot be read, or is none of the forms.
pub fn read(file: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<Label>> {
    let text = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    if let Ok(own) = serde_json::from_slice::<Vec<Label>>(&text) {
        return Ok(own.into_iter().filter(|label| wanted(&label.source)).collect());
    }
    let hint = "a list of labels as `weir generate --labels-out` writes it, or NAB's combined_windows.json";
    let windows: BTreeMap<String, Vec<(String, String)>> =
        serde_json::from_slice(&text).with_context(|| format!("{} holds no labels\n  hint: {hint}", file.display()))?;
    let mut labels = Vec::new();
    for (name, windows) in windows {
        let source = super::read::stem(Path::new(&name));
        if !wanted(&source) {
            continue;
        }
        for (start, end) in windows {
            let time = |text: &str| text.parse().map_err(|e: String| anyhow!("{}: {e}", file.display()));
            labels.push(Label {
                kind: Kind::Labelled,
                source: source.clone(),
                metric: Some("value".to_owned()),
                start: time(&start)?,
                end: time(&end)?,
            });
        }
    }
    Ok(labels)
}
