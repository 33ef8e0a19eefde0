//! Looks at every place where the path ends, while it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::replay::{Progress, Replayed};
use crate::{Connection, stats::Stats};
use anyhow::Result;
use serde_json::Value;
use tokio::task::JoinHandle;
use weir_anomaly::{
    Anomaly, Record,
    store::{Item, attr},
};
use weir_cloud::{
    Clients, CloudError, queue, store,
    stream::{From, Tail},
};

/// How often a person sees a line of progress.
const LINE_INTERVAL: Duration = Duration::from_secs(2);
/// Nothing may change for so long before the path counts as settled. The alerter's batching window is shorter.
const QUIET: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(250);
/// How long a poll of a queue waits for a message.
const QUEUE_WAIT_SECONDS: i32 = 1;

/// What was seen at the ends of the path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Anomalies on their stream, each once, by id.
    pub(crate) anomalies: BTreeMap<String, Anomaly>,
    /// Anomaly records on the stream, repeats included.
    pub(crate) anomaly_records: usize,
    /// Probes that came through, by id.
    pub(crate) probes: BTreeSet<String>,
    /// Alerts in the inbox.
    pub(crate) alerts: Vec<Alert>,
    /// Messages in quarantine, the parts of one record counted once.
    pub(crate) quarantined: BTreeSet<String>,
    /// Items in the store, by id.
    pub(crate) stored: BTreeMap<String, Item>,
}

/// One alert as the inbox received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) rule: String,
    /// The anomaly that it speaks of; summaries speak of none.
    pub(crate) anomaly_id: Option<String>,
    /// When the queue took it, milliseconds since the epoch.
    pub(crate) millis: Option<i64>,
}

/// Followers of the stream and the queues.
#[derive(Debug)]
pub(crate) struct Watch {
    clients: Arc<Clients>,
    table: String,
    stats_file: Option<PathBuf>,
    shared: Arc<Mutex<Seen>>,
    tasks: Vec<JoinHandle<Result<(), CloudError>>>,
    line_at: Instant,
    quiet: (String, Instant),
    stats: Option<Stats>,
}

impl Watch {
    pub(crate) async fn open(
        clients: Arc<Clients>,
        connection: &Connection,
        stats_file: Option<PathBuf>,
    ) -> Result<Self> {
        let shared = Arc::new(Mutex::new(Seen::default()));
        let tasks = vec![
            tokio::spawn(follow_anomalies(
                Arc::clone(&clients),
                connection.anomalies_stream.clone(),
                Arc::clone(&shared),
            )),
            tokio::spawn(follow_queue(Arc::clone(&clients), connection.inbox_url.clone(), Arc::clone(&shared), inbox)),
            tokio::spawn(follow_queue(
                Arc::clone(&clients),
                connection.quarantine_url.clone(),
                Arc::clone(&shared),
                quarantine,
            )),
        ];
        Ok(Self {
            clients,
            table: connection.table.clone(),
            stats_file,
            shared,
            tasks,
            line_at: Instant::now(),
            quiet: (String::new(), Instant::now()),
            stats: None,
        })
    }

    /// Looks once, after a short pause, and now and then says what it sees.
    pub(crate) async fn look(&mut self, progress: Progress) -> Result<()> {
        tokio::time::sleep(POLL).await;
        for task in &mut self.tasks {
            if task.is_finished() {
                return Ok(task.await??);
            }
        }
        if let Some(stats) = self.stats_file.as_deref().and_then(Stats::load) {
            self.stats = Some(stats);
        }
        let state = format!("{} {:?}", self.summary(), progress);
        if state != self.quiet.0 {
            self.quiet = (state, Instant::now());
        }
        if self.line_at.elapsed() >= LINE_INTERVAL || progress.sent == 0 {
            self.line_at = Instant::now();
            self.stored().await?;
            eprintln!("  {} of {} records in; {}", progress.sent, progress.total, self.summary());
        }
        Ok(())
    }

    /// Whether the probe behind the last record of every shard has come through, every anomaly is stored, and nothing has
    /// changed for a while.
    pub(crate) fn settled(&self, replayed: &Replayed) -> bool {
        let seen = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let read = replayed.probes.is_subset(&seen.probes);
        let stored = seen.anomalies.keys().all(|id| seen.stored.contains_key(id));
        read && stored && seen.quarantined.len() >= replayed.poison && self.quiet.1.elapsed() >= QUIET
    }

    /// One line of what was seen.
    pub(crate) fn summary(&self) -> String {
        let seen = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.stats.as_ref().map_or_else(String::new, |stats| {
            format!("{} read, lag {} ms, ", stats.events, stats.lag_millis.unwrap_or(0))
        });
        format!(
            "{read}{} anomalies, {} stored, {} alerts, {} quarantined",
            seen.anomalies.len(),
            seen.stored.len(),
            seen.alerts.len(),
            seen.quarantined.len()
        )
    }

    /// Stops looking and returns what was seen.
    pub(crate) async fn finish(self) -> Result<(Seen, Option<Stats>)> {
        self.stored().await?;
        for task in &self.tasks {
            task.abort();
        }
        let seen = self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((seen, self.stats))
    }

    async fn stored(&self) -> Result<()> {
        let items = store::scan_anomalies(&self.clients, &self.table).await?;
        let anomalies = items.into_iter().filter(|item| item.text(attr::RULE) != Some(weir_anomaly::PROBE_RULE));
        let by_id = anomalies.map(|item| (item.id().to_owned(), item));
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).stored = by_id.collect();
        Ok(())
    }
}

async fn follow_anomalies(clients: Arc<Clients>, stream: String, shared: Arc<Mutex<Seen>>) -> Result<(), CloudError> {
    let mut tail = Tail::open(&clients, &stream, From::Oldest).await?;
    loop {
        let records = tail.next().await?;
        let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            let Ok(Record::Anomaly(anomaly)) = Record::parse(&record) else {
                continue;
            };
            if anomaly.is_probe() {
                let id = anomaly.details.get("probe_id").and_then(Value::as_str);
                seen.probes.extend(id.map(str::to_owned));
            } else {
                seen.anomaly_records += 1;
                seen.anomalies.insert(anomaly.id.to_string(), *anomaly);
            }
        }
    }
}

async fn follow_queue(
    clients: Arc<Clients>,
    url: String,
    shared: Arc<Mutex<Seen>>,
    take: fn(&mut Seen, &queue::Message),
) -> Result<(), CloudError> {
    loop {
        // The queues are the demo's own: what is counted is taken out, so that it is counted once.
        let messages = queue::receive(&clients, &url, QUEUE_WAIT_SECONDS, queue::VISIBILITY).await?;
        {
            let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
            for message in &messages {
                take(&mut seen, message);
            }
        }
        queue::delete(&clients, &url, &messages).await?;
    }
}

fn inbox(seen: &mut Seen, message: &queue::Message) {
    let envelope: Value = serde_json::from_str(&message.body).unwrap_or_default();
    // An SNS envelope carries the message as text; a raw delivery is the message itself.
    let alert: Value = match envelope.get("Message").and_then(Value::as_str) {
        Some(text) => serde_json::from_str(text).unwrap_or_default(),
        None => envelope.clone(),
    };
    let attribute = envelope.pointer("/MessageAttributes/rule/Value").and_then(Value::as_str);
    let rule = attribute.or_else(|| alert.get("rule").and_then(Value::as_str)).unwrap_or("?").to_owned();
    let anomaly_id = alert.get("id").and_then(Value::as_str).map(str::to_owned);
    seen.alerts.push(Alert { rule, anomaly_id, millis: message.sent_millis });
}

fn quarantine(seen: &mut Seen, message: &queue::Message) {
    let body: Value = serde_json::from_str(&message.body).unwrap_or_default();
    let record = body.get("record_id").and_then(Value::as_str).unwrap_or(&message.body);
    seen.quarantined.insert(record.to_owned());
}
