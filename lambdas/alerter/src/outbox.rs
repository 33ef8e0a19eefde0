//! Sending alerts that the table already knows to be due: publish, then mark. The caller holds their lease.

use std::collections::BTreeMap;

use weir_anomaly::{
    Anomaly, Timestamp,
    store::{Alert, Attr, PENDING, Storm, attr},
};
use weir_lambda::retry::Budget;

use crate::{
    Alerter, message,
    metrics::Counters,
    ports::{Message, Update, Updated},
};

/// Past a period's end before it is closed: events are late, and the index by key follows the table within moments.
const SETTLE_SECONDS: i64 = 60;
/// A replay of old data meets periods that are long over. They stay open for so long, that one summary can cover them.
const REPLAY_OPEN_SECONDS: i64 = 900;
/// Clocks of two machines differ; a lease ends so much after its holder.
const LEASE_MARGIN_SECONDS: i64 = 5;

impl Alerter {
    /// Up to when this invocation may hold an alert: Lambda ends it at its deadline.
    pub(crate) fn lease(&self, budget: &Budget<'_>) -> Timestamp {
        budget.deadline().plus_seconds(LEASE_MARGIN_SECONDS)
    }

    /// Sends alerts that are due and held by this invocation. What fails stays due, and the sweep comes for it.
    pub(crate) async fn send(&self, due: Vec<(Alert, Anomaly)>, budget: &Budget<'_>, counters: &mut Counters) {
        if due.is_empty() {
            return;
        }
        let due = self.weather(due, budget, counters).await;
        let (table, page) = (&self.config.table, self.config.page.as_deref());
        let messages: Vec<Message> =
            due.iter().map(|(alert, first)| message::alert(first, alert, table, page)).collect();
        let answers = budget.each(messages, async |messages: &[Message]| self.notifier.publish(messages).await).await;
        let now = self.clock.now();
        let mut marks = Vec::new();
        for ((alert, first), answer) in due.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    counters.alerted += 1;
                    Counters::latency(&mut counters.event_to_alert_ms, first.timestamp, now);
                    marks.push(Update {
                        set: vec![
                            (attr::STATE, "open".into()),
                            (attr::TIMESTAMP, Attr::time(close_at(&alert, now))),
                            (attr::SENT_AT, Attr::time(now)),
                        ],
                        ..still_due(&alert)
                    });
                }
                Err(fault) => {
                    counters.publish_failed += 1;
                    counters.fault("publish", &fault);
                }
            }
        }
        self.mark(marks, budget, counters).await;
    }

    /// Writes down what was sent. A mark that fails means a second message, never none.
    pub(crate) async fn mark(&self, marks: Vec<Update>, budget: &Budget<'_>, counters: &mut Counters) {
        let answers = budget.each(marks, async |marks: &[Update]| self.store.update(marks).await).await;
        for fault in answers.into_iter().filter_map(Result::err) {
            counters.fault("mark", &fault);
        }
    }

    /// Lets through what the storm cap allows and holds the rest. An alert is held only when its storm's summary is
    /// already sure to come.
    async fn weather(
        &self,
        due: Vec<(Alert, Anomaly)>,
        budget: &Budget<'_>,
        counters: &mut Counters,
    ) -> Vec<(Alert, Anomaly)> {
        let now = self.clock.now();
        let mut by_rule: BTreeMap<String, Vec<(Alert, Anomaly)>> = BTreeMap::new();
        for (alert, first) in due {
            by_rule.entry(alert.rule.clone()).or_default().push((alert, first));
        }
        let mut through = Vec::new();
        for (rule, mut alerts) in by_rule {
            let storm = Storm::at(&rule, now);
            // The most urgent go through, then the earliest.
            alerts.sort_by_key(|(alert, first)| (std::cmp::Reverse(alert.severity), first.timestamp));
            let asked = i64::try_from(alerts.len()).unwrap_or(i64::MAX);
            let taken = self.store.add(&storm.id(), attr::TAKEN, asked, self.expires_at(now)).await;
            let free = match taken {
                Ok(taken) => i64::from(self.config.storm_cap) - (taken - asked),
                Err(fault) => {
                    counters.fault("storm", &fault);
                    asked
                }
            };
            let allowed = usize::try_from(free).unwrap_or(0).min(alerts.len());
            let above = alerts.split_off(allowed);
            through.append(&mut alerts);
            if above.is_empty() {
                continue;
            }
            if self.summary_is_sure(&storm, budget).await {
                counters.held += above.len() as u64;
                let holds = above.iter().map(|(alert, _)| hold(alert, &storm)).collect();
                self.mark(holds, budget, counters).await;
            } else {
                through.extend(above);
            }
        }
        through
    }

    /// Makes the storm's summary due after everybody who may still hold an alert for it is done.
    async fn summary_is_sure(&self, storm: &Storm, budget: &Budget<'_>) -> bool {
        let over = storm.ends().plus_seconds(SETTLE_SECONDS);
        let newest = (attr::TIMESTAMP, Attr::time(self.lease(budget).max(over)));
        let set = [(attr::RULE, Attr::from(PENDING)), (attr::STATE, "due".into())];
        let raised = budget.one(async || self.store.raise(&storm.id(), newest.clone(), &set).await).await;
        // Refused: another invocation with a later deadline made it due already.
        matches!(raised, Ok(Updated::Done | Updated::Refused))
    }
}

/// Expects that the alert is due and that nobody took it over.
pub(crate) fn still_due(alert: &Alert) -> Update {
    let mut expect = vec![(attr::STATE, Attr::from(alert.state.as_str()))];
    expect.extend(alert.next_at.map(|at| (attr::TIMESTAMP, Attr::time(at))));
    Update { id: alert.id(), expect, ..Update::default() }
}

fn hold(alert: &Alert, storm: &Storm) -> Update {
    Update {
        set: vec![(attr::STATE, "held".into()), (attr::STORM, storm.id().into()), (attr::RULE, storm.id().into())],
        ..still_due(alert)
    }
}

/// When an alert's period may be closed.
fn close_at(alert: &Alert, now: Timestamp) -> Timestamp {
    let length = alert.period.seconds;
    let end = if alert.period.ends() > now {
        // An event from the future must not keep its alert open for years.
        alert.period.ends().min(now.plus_seconds(length))
    } else {
        now.plus_seconds(length.min(REPLAY_OPEN_SECONDS))
    };
    end.plus_seconds(SETTLE_SECONDS)
}
