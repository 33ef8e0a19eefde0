//! The checkpoint as one S3 object: replaced as a whole, and only if nobody else has replaced it meanwhile.
//!
//! Each write carries what this run knows of the object (`If-Match`, or `If-None-Match` where there was none): of two runs that
//! share one place by mistake, the second to write ends with a clear error, and neither overwrites the other's progress in
//! silence. The request's signature covers the content, so S3 refuses what arrives damaged.

mod client;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{NAME, StateError};
use client::Client;

/// Attempts of one read or write, with waits of 0.2, 0.4, 0.8 and 1.6 s between them: a throttle or a failing server passes
/// within that, and a write that does not is due again with the next checkpoint.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// One object, as far as a checkpoint needs it.
#[async_trait]
trait ObjectApi: std::fmt::Debug + Send + Sync {
    /// The content and its version, when the object is there.
    async fn get(&self) -> Result<Option<(Bytes, Option<String>)>, Fault>;

    /// Replaces the content, if the object still is as `known`; gives the new version.
    async fn put(&self, content: Bytes, known: &Known) -> Result<Option<String>, Fault>;

    /// The object, for messages.
    fn place(&self) -> String;
}

/// What is known of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// Nothing: the service gave no version.
    Nothing,
    Absent,
    Version(String),
}

/// How a call failed, by what can be done about it.
#[derive(Debug)]
enum Fault {
    /// It may pass.
    Passing(String),
    /// The object is not as it was known.
    Changed,
    Refused {
        reason: String,
        hint: &'static str,
    },
}

/// The object that keeps a checkpoint.
#[derive(Debug)]
pub(super) struct Object {
    api: Box<dyn ObjectApi>,
    known: Known,
    /// Digests of contents that were sent and not answered: they may be stored.
    unanswered: Vec<u64>,
}

impl Object {
    pub(super) async fn open(bucket: &str, prefix: &str) -> Result<Self, StateError> {
        let key = if prefix.is_empty() { NAME.to_owned() } else { format!("{prefix}/{NAME}") };
        Ok(Self::new(Box::new(Client::connect(bucket, &key).await?)))
    }

    fn new(api: Box<dyn ObjectApi>) -> Self {
        Self { api, known: Known::Nothing, unanswered: Vec::new() }
    }

    pub(super) fn place(&self) -> String {
        self.api.place()
    }

    /// The last content, when there is one.
    pub(super) async fn read(&mut self) -> Result<Option<Vec<u8>>, StateError> {
        let mut attempt = 0;
        loop {
            match self.api.get().await {
                Ok(Some((content, version))) => {
                    self.known = version.map_or(Known::Nothing, Known::Version);
                    return Ok(Some(content.into()));
                }
                Ok(None) => {
                    self.known = Known::Absent;
                    return Ok(None);
                }
                Err(fault) => self.wait("read", fault, &mut attempt).await?,
            }
        }
    }

    /// Replaces the content.
    pub(super) async fn write(&mut self, content: Bytes) -> Result<(), StateError> {
        let digest = xxhash_rust::xxh3::xxh3_64(&content);
        let mut attempt = 0;
        loop {
            match self.api.put(content.clone(), &self.known).await {
                Ok(version) => {
                    self.known = version.map_or(Known::Nothing, Known::Version);
                    self.unanswered.clear();
                    return Ok(());
                }
                // By this run itself, where the answer to an earlier attempt was lost.
                Err(Fault::Changed) => match self.api.get().await {
                    Ok(stored) => {
                        let stored = stored.map(|(content, version)| (xxhash_rust::xxh3::xxh3_64(&content), version));
                        match stored {
                            Some((found, version)) if self.unanswered.contains(&found) => {
                                self.known = version.map_or(Known::Nothing, Known::Version);
                                if found == digest {
                                    self.unanswered.clear();
                                    return Ok(());
                                }
                            }
                            // Nothing is there, as known: a write of another run was refused, or is under way.
                            None if self.known == Known::Absent => {
                                let fault = Fault::Passing("another write is under way".to_owned());
                                self.wait("write", fault, &mut attempt).await?;
                            }
                            _ => return Err(StateError::Taken { place: self.place() }),
                        }
                    }
                    Err(fault) => self.wait("read", fault, &mut attempt).await?,
                },
                Err(fault) => {
                    if matches!(fault, Fault::Passing(_)) && !self.unanswered.contains(&digest) {
                        self.unanswered.push(digest);
                    }
                    self.wait("write", fault, &mut attempt).await?;
                }
            }
        }
    }

    /// Waits before the next attempt, or says why there is none.
    async fn wait(&self, what: &str, fault: Fault, attempt: &mut u32) -> Result<(), StateError> {
        let reason = match fault {
            Fault::Passing(reason) => reason,
            Fault::Changed => return Err(StateError::Taken { place: self.place() }),
            Fault::Refused { reason, hint } => return Err(StateError::Refused { place: self.place(), reason, hint }),
        };
        *attempt += 1;
        if *attempt >= ATTEMPTS {
            return Err(StateError::Unavailable { place: self.place(), attempts: ATTEMPTS, reason });
        }
        tracing::warn!(place = %self.place(), reason, attempt = *attempt, "cannot {what} the checkpoint, trying again");
        tokio::time::sleep(FIRST_WAIT.saturating_mul(2_u32.saturating_pow(*attempt - 1))).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// An object in memory, and what goes wrong with the next writes.
    #[derive(Debug, Default, Clone)]
    struct Memory {
        content: Arc<Mutex<Option<(Bytes, u32)>>>,
        troubles: Arc<Mutex<Vec<Trouble>>>,
    }

    #[derive(Debug, Clone, Copy)]
    enum Trouble {
        /// Nothing arrives.
        Lost,
        /// The content arrives, the answer does not.
        AnswerLost,
    }

    impl Memory {
        fn object(&self) -> Object {
            Object::new(Box::new(self.clone()))
        }

        fn content(&self) -> Option<Bytes> {
            self.content.lock().unwrap().as_ref().map(|(content, _)| content.clone())
        }
    }

    #[async_trait]
    impl ObjectApi for Memory {
        async fn get(&self) -> Result<Option<(Bytes, Option<String>)>, Fault> {
            Ok(self.content.lock().unwrap().clone().map(|(content, version)| (content, Some(version.to_string()))))
        }

        async fn put(&self, content: Bytes, known: &Known) -> Result<Option<String>, Fault> {
            let trouble = self.troubles.lock().unwrap().pop();
            if matches!(trouble, Some(Trouble::Lost)) {
                return Err(Fault::Passing("no connection".into()));
            }
            let mut stored = self.content.lock().unwrap();
            let version = stored.as_ref().map(|(_, version)| *version);
            let as_known = match known {
                Known::Nothing => true,
                Known::Absent => version.is_none(),
                Known::Version(known) => version.is_some_and(|version| version.to_string() == *known),
            };
            if !as_known {
                return Err(Fault::Changed);
            }
            let version = version.unwrap_or(0) + 1;
            *stored = Some((content, version));
            match trouble {
                Some(Trouble::AnswerLost) => Err(Fault::Passing("the answer broke off".into())),
                _ => Ok(Some(version.to_string())),
            }
        }

        fn place(&self) -> String {
            "s3://b/checkpoint".into()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_survives_lost_requests_and_lost_answers() {
        let memory = Memory::default();
        let mut object = memory.object();
        assert_eq!(object.read().await.unwrap(), None);
        *memory.troubles.lock().unwrap() = vec![Trouble::Lost, Trouble::Lost, Trouble::AnswerLost];
        object.write("one".into()).await.unwrap();
        object.write("two".into()).await.unwrap();
        assert_eq!(memory.content().unwrap(), "two");
        assert_eq!(memory.object().read().await.unwrap().unwrap(), b"two");
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_was_given_up_and_stored_does_not_look_like_another_run() {
        let memory = Memory::default();
        let mut object = memory.object();
        object.read().await.unwrap();
        // Taken from the end: the first is stored, no attempt is answered.
        *memory.troubles.lock().unwrap() = [vec![Trouble::Lost; 4], vec![Trouble::AnswerLost]].concat();
        let error = object.write("one".into()).await.unwrap_err();
        assert!(matches!(error, StateError::Unavailable { attempts: 5, .. }), "{error}");
        assert_eq!(memory.content().unwrap(), "one");
        object.write("two".into()).await.unwrap();
        assert_eq!(memory.content().unwrap(), "two");
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_of_two_runs_that_share_a_place_is_stopped() {
        let memory = Memory::default();
        let (mut first, mut second) = (memory.object(), memory.object());
        first.read().await.unwrap();
        second.read().await.unwrap();
        first.write("first".into()).await.unwrap();
        let error = second.write("second".into()).await.unwrap_err();
        assert!(matches!(error, StateError::Taken { .. }), "{error}");
        first.write("first again".into()).await.unwrap();
        assert_eq!(memory.content().unwrap(), "first again");
    }
}
