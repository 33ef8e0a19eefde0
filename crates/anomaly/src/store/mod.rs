//! How anomalies, alerts and silences lie in the table: pure data, so that the alerter writes and the command line reads
//! the same layout without sharing a client.
//!
//! One table holds them all, told apart by the first letters of `id`. The index `by_rule` doubles as the work list: what is
//! still to be done carries `rule = "#pending"` and, as `timestamp`, when to do it. Rule names start with a letter, so
//! nothing of this can meet an anomaly.

mod alert;
mod anomaly;
mod item;
mod period;
mod silence;
mod storm;

pub use alert::{Alert, AlertState};
pub use anomaly::{Disposition, StoredAnomaly};
pub use item::{Attr, Item, ItemError};
pub use period::Period;
pub use silence::{Silence, SilenceError};
pub use storm::Storm;

/// The index with `rule` and `timestamp` as its keys.
pub const BY_RULE: &str = "by_rule";
/// The index with `key` and `timestamp` as its keys.
pub const BY_KEY: &str = "by_key";

/// `rule` of what waits for the sweep.
pub const PENDING: &str = "#pending";
/// `rule` of silences.
pub const SILENCE: &str = "#silence";

/// Start of `rule` of what was deployed; the environment follows.
pub const DEPLOYMENT: &str = "#deployment#";

/// Names of the attributes that more than one kind of item, or a query, uses.
pub mod attr {
    /// The table's key.
    pub const ID: &str = "id";
    /// Partition key of `by_rule`.
    pub const RULE: &str = "rule";
    /// Partition key of `by_key`.
    pub const KEY: &str = "key";
    /// Sort key of both indexes.
    pub const TIMESTAMP: &str = "timestamp";
    /// When the item may go, epoch seconds: the table's TTL attribute.
    pub const EXPIRES_AT: &str = "expires_at";
    /// The alert that an anomaly counts for.
    pub const ALERT_ID: &str = "alert_id";
    /// How often an anomaly arrived.
    pub const TIMES_SEEN: &str = "times_seen";
    /// When an anomaly arrived last.
    pub const LAST_SEEN: &str = "last_seen";
    /// Where an alert stands.
    pub const STATE: &str = "state";
    /// When an alert was sent.
    pub const SENT_AT: &str = "sent_at";
    /// Anomalies of an alert's period beside the first, set when the period closes.
    pub const SUPPRESSED: &str = "suppressed";
    /// The storm that an alert was held by.
    pub const STORM: &str = "storm";
    /// Alerts that became due in a storm's minute.
    pub const TAKEN: &str = "taken";
    /// The instant of a probe's departure.
    pub const PROBE_SENT_AT: &str = "sent_at";
    /// The instant of a probe's arrival in the store.
    pub const PROBE_ARRIVED_AT: &str = "arrived_at";
    /// Which probe it was.
    pub const PROBE_ID: &str = "probe_id";
}

/// The item that holds the newest probe which passed the whole path.
pub const PROBE_ITEM: &str = "probe#last";
