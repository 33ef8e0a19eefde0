//! One invocation's view of the world. Each call yields first, so that a driver can run other invocations in between.

use std::{
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicBool, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use weir_alerter::ports::{Clock, Fault, Inserted, Message, Notifier, Quarantine, Store, Update, Updated};
use weir_anomaly::{
    Timestamp,
    store::{Attr, Item, attr},
};

use super::world::{Published, World, refuses};

#[derive(Clone)]
pub(crate) struct Ports {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) invocation: usize,
    pub(crate) dead: Arc<AtomicBool>,
}

impl Ports {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    async fn many<T, R>(&self, items: &[T], effect: impl FnMut(&mut World, &T) -> R) -> Vec<Result<R, Fault>> {
        if items.is_empty() {
            return Vec::new();
        }
        Yield(false).await;
        let answers = {
            let mut world = self.world();
            let fate = world.fate(self.invocation);
            world.many(fate, items, effect)
        };
        match answers {
            Some(answers) => answers,
            None => self.die().await,
        }
    }

    async fn one<R>(&self, mut effect: impl FnMut(&mut World) -> R) -> Result<R, Fault> {
        self.many(&[()], |world, ()| effect(world)).await.pop().unwrap()
    }

    async fn die<R>(&self) -> R {
        self.dead.store(true, Ordering::SeqCst);
        pending().await
    }
}

/// Gives way once.
struct Yield(bool);

impl Future for Yield {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        Poll::Pending
    }
}

#[async_trait]
impl Store for Ports {
    async fn insert(&self, items: &[Item]) -> Vec<Result<Inserted, Fault>> {
        let refused = |item: &Item| item.text(attr::KEY).is_some_and(refuses) && !item.id().contains('#');
        let insert = |world: &mut World, item: &Item| (!refused(item)).then(|| world.insert(item));
        let answers = self.many(items, insert).await.into_iter();
        answers.map(|answer| answer?.ok_or_else(|| Fault::Poison("ValidationException: -".to_owned()))).collect()
    }

    async fn update(&self, updates: &[Update]) -> Vec<Result<Updated, Fault>> {
        let answers = self.many(updates, |world, update| world.update(update)).await;
        for (update, answer) in updates.iter().zip(&answers) {
            let sent = update.set.contains(&(attr::STATE, "open".into()));
            if sent && *answer == Ok(Updated::Done) {
                self.world().marked.push((update.id.clone(), self.invocation));
            }
        }
        answers
    }

    async fn add(&self, id: &str, name: &'static str, amount: i64, expires_at: i64) -> Result<i64, Fault> {
        self.one(|world| world.add(id, name, amount, expires_at)).await
    }

    async fn raise(
        &self,
        id: &str,
        newest: (&'static str, Attr),
        set: &[(&'static str, Attr)],
    ) -> Result<Updated, Fault> {
        self.one(|world| world.raise(id, &newest, set)).await
    }

    async fn get(&self, id: &str) -> Result<Option<Item>, Fault> {
        self.one(|world| world.table.get(id).cloned()).await
    }

    async fn by_rule(&self, rule: &str, until: Option<Timestamp>, limit: usize) -> Result<Vec<Item>, Fault> {
        let until = until.map(|t| t.to_rfc3339_millis());
        self.one(|world| {
            let mut items = world.index(attr::RULE, rule);
            items.retain(|item| until.as_deref().is_none_or(|until| item.text(attr::TIMESTAMP).unwrap() <= until));
            items.truncate(limit);
            items
        })
        .await
    }

    async fn count_of_alert(&self, key: &str, from: Timestamp, to: Timestamp, alert_id: &str) -> Result<i64, Fault> {
        let (from, to) = (from.to_rfc3339_millis(), to.to_rfc3339_millis());
        self.one(|world| {
            let mut items = world.index(attr::KEY, key);
            items.retain(|item| {
                let at = item.text(attr::TIMESTAMP).unwrap();
                from.as_str() <= at && at <= to.as_str() && item.text(attr::ALERT_ID) == Some(alert_id)
            });
            i64::try_from(items.len()).unwrap()
        })
        .await
    }
}

#[async_trait]
impl Notifier for Ports {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<(), Fault>> {
        let from = self.world().topic.len();
        let invocation = self.invocation;
        let answers = self
            .many(messages, |world, message| {
                sns_takes(message);
                world.topic.push(Published { message: message.clone(), invocation, answered: false });
            })
            .await;
        let answered: Vec<&Message> =
            messages.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(m, _)| m).collect();
        for published in self.world().topic.iter_mut().skip(from) {
            if published.invocation == invocation && answered.contains(&&published.message) {
                published.answered = true;
            }
        }
        answers
    }

    async fn check(&self) -> Result<(), Fault> {
        Ok(())
    }
}

#[async_trait]
impl Quarantine for Ports {
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), Fault>> {
        self.many(bodies, |world, body| {
            sqs_takes(body);
            world.queue.push(body.clone());
        })
        .await
    }

    async fn check(&self) -> Result<(), Fault> {
        Ok(())
    }
}

#[async_trait]
impl Clock for Ports {
    fn now(&self) -> Timestamp {
        self.world().now()
    }

    async fn sleep(&self, duration: Duration) {
        self.world().millis += i64::try_from(duration.as_millis()).unwrap();
    }

    fn jitter(&self) -> f64 {
        0.5
    }
}

/// What SNS refuses for ever would be an alert that nobody hears: Publish's rules for subject, message and attributes.
fn sns_takes(message: &Message) {
    let subject = &message.subject;
    assert!((1..100).contains(&subject.len()), "{subject:?}");
    assert!(subject.chars().all(|c| matches!(c, ' '..='~')) && !subject.starts_with(' '), "{subject:?}");
    assert!(message.text.len() + 5 * 2 * message.json.len() < 256 * 1024, "{} bytes of JSON", message.json.len());
    assert!(
        !message.text.is_empty() && !message.text.chars().any(|c| c.is_control() && c != '\n'),
        "{:?}",
        message.text
    );
    for (name, value) in &message.attributes {
        assert!(!value.is_empty() && value.len() <= 1024 && !value.chars().any(char::is_control), "{name}: {value:?}");
    }
}

/// What SQS refuses for ever would hold up a shard: SendMessage's size, and the code points that XML does not know.
fn sqs_takes(body: &str) {
    assert!((1..=256 * 1024).contains(&body.len()), "a body of {} bytes", body.len());
    let wrong =
        |c: char| matches!(c, '\u{0}'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}');
    assert!(!body.contains(wrong), "{body:?}");
}
