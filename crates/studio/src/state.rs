//! What the server keeps between two requests: the history that is open, and what the last drafts found in it.

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::{OnceCell, watch};
use weir_anomaly::Anomaly;
use weir_backtest::workbench::{Alerted, Draft, ExpectedRows, Figures, Workbench};

use crate::{StudioOptions, fault::ApiError, labels::Labels, vocabulary::Words};

/// So many evaluations can still be asked about: one a tab, and a few that charts are still being drawn of.
const EVALUATIONS_KEPT: usize = 16;

/// What the requests share.
pub(crate) struct Studio {
    pub(crate) options: StudioOptions,
    opened: Mutex<Option<Arc<Opened>>>,
    evaluations: Mutex<VecDeque<Arc<Held>>>,
    tabs: Mutex<HashMap<String, watch::Sender<()>>>,
    committed: Mutex<HashMap<String, Arc<Committed>>>,
    next: AtomicU64,
    under_way: Arc<AtomicUsize>,
    pub(crate) words: Words,
    /// One at a time: two that write the labels file would lose one label.
    pub(crate) writing: tokio::sync::Mutex<()>,
    /// One at a time, so that two tabs that start together read a history once.
    pub(crate) opening: tokio::sync::Mutex<()>,
}

/// A history that is open.
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) bench: Workbench,
    pub(crate) labels: Labels,
}

/// What a draft found, for the questions that follow.
pub(crate) struct Held {
    pub(crate) number: u64,
    pub(crate) opened: Arc<Opened>,
    pub(crate) draft: Draft,
    pub(crate) anomalies: Vec<Found>,
    pub(crate) expected: OnceCell<ExpectedRows>,
}

/// An anomaly, and what is known of it beside.
pub(crate) struct Found {
    pub(crate) anomaly: Anomaly,
    pub(crate) alerted: Alerted,
    pub(crate) change: Change,
    pub(crate) right: Option<bool>,
}

/// What the committed rule found.
pub(crate) struct Committed {
    pub(crate) anomalies: Vec<(Anomaly, Alerted)>,
    pub(crate) figures: Figures,
}

/// Whether the committed rule finds an anomaly too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Same,
    Gained,
    Lost,
}

impl Studio {
    pub(crate) fn new(options: StudioOptions) -> Self {
        Self {
            options,
            opened: Mutex::default(),
            evaluations: Mutex::default(),
            tabs: Mutex::default(),
            committed: Mutex::default(),
            next: AtomicU64::new(1),
            under_way: Arc::default(),
            words: Words::default(),
            writing: tokio::sync::Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        }
    }

    /// Where new labels go.
    pub(crate) fn labels_file(&self) -> PathBuf {
        self.options.labels.clone().unwrap_or_else(|| self.options.repo.sql().join("labels.json"))
    }

    /// The history that is open.
    pub(crate) fn opened(&self) -> Option<Arc<Opened>> {
        lock(&self.opened).clone()
    }

    pub(crate) fn open(&self, opened: Opened) -> Arc<Opened> {
        let opened = Arc::new(opened);
        *lock(&self.opened) = Some(Arc::clone(&opened));
        // What was found in another history is not shown over this one.
        lock(&self.evaluations).clear();
        lock(&self.committed).clear();
        opened
    }

    pub(crate) fn need_history(&self) -> Result<Arc<Opened>, ApiError> {
        self.opened()
            .ok_or_else(|| ApiError::bad("no history is open").hint("choose a file, a folder or generated data"))
    }

    /// What the committed rule found in the history that is open, by its text and where it lies.
    pub(crate) fn committed(&self, key: &str) -> Option<Arc<Committed>> {
        lock(&self.committed).get(key).cloned()
    }

    pub(crate) fn keep_committed(&self, key: String, found: Committed) -> Arc<Committed> {
        let found = Arc::new(found);
        let mut committed = lock(&self.committed);
        if committed.len() >= EVALUATIONS_KEPT {
            committed.clear();
        }
        committed.insert(key, Arc::clone(&found));
        found
    }

    /// Keeps what a draft found.
    pub(crate) fn hold(&self, opened: Arc<Opened>, draft: Draft, anomalies: Vec<Found>) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut evaluations = lock(&self.evaluations);
        evaluations.push_back(Arc::new(Held { number, opened, draft, anomalies, expected: OnceCell::new() }));
        while evaluations.len() > EVALUATIONS_KEPT {
            evaluations.pop_front();
        }
        number
    }

    pub(crate) fn held(&self, number: u64) -> Result<Arc<Held>, ApiError> {
        let held = lock(&self.evaluations).iter().find(|held| held.number == number).cloned();
        held.ok_or_else(|| ApiError::bad("this evaluation is not kept any more").hint("evaluate the rule again"))
    }

    /// Counts an evaluation for as long as it is kept.
    pub(crate) fn begin_evaluation(&self) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(&self.under_way))
    }

    /// How many evaluations are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Ends what a tab had under way; the receiver says when this one is to end too.
    pub(crate) fn begin(&self, tab: &str) -> watch::Receiver<()> {
        let (sender, receiver) = watch::channel(());
        // Dropping the sender of before tells its receiver.
        lock(&self.tabs).insert(tab.to_owned(), sender);
        receiver
    }
}

/// An evaluation that is under way; dropping it, as an answer that nobody waits for is dropped, ends it.
pub(crate) struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
