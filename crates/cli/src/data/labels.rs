//! What is known to be wrong in a set of events.

use serde::{Deserialize, Serialize};
use weir_anomaly::Timestamp;

/// One thing that is known to be wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Label {
    /// What it is.
    pub(crate) kind: Kind,
    /// Where.
    pub(crate) source: String,
    /// In which metric; absent when it concerns the whole source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metric: Option<String>,
    /// From when on.
    pub(crate) start: Timestamp,
    /// Until when, inclusive.
    pub(crate) end: Timestamp,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
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
    pub(crate) fn as_str(self) -> &'static str {
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
    /// Whether an anomaly of this key that speaks at this time (its event, or the end of its window) is about this label.
    /// A window ends a little after the reading that it is about: `slack` nanoseconds allow for that.
    pub(crate) fn is_found_by(&self, key: &str, time: Timestamp, slack: i64) -> bool {
        let series = self.metric.as_ref().map(|metric| format!("{}/{metric}", self.source));
        let same_place = key == self.source || series.is_some_and(|series| series == key);
        same_place && self.start <= time && time.nanos() <= self.end.nanos().saturating_add(slack)
    }
}
