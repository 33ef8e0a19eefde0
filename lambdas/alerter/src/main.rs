//! The alerter Lambda: reads its environment, makes its clients, answers invocations.

use std::{process::ExitCode, sync::Arc, time::Duration};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Map, Value, json, value::RawValue};
use weir_alerter::{Alerter, aws, config::Config, decode::Invocation, metrics, ports::Clock};
use weir_anomaly::Timestamp;

/// Wall clock and real pauses.
struct System;

#[async_trait::async_trait]
impl Clock for System {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Low bits of the clock: no two invocations share them, and jitter needs no more.
    fn jitter(&self) -> f64 {
        f64::from(u32::try_from(self.now().nanos().rem_euclid(1_000_003)).unwrap_or_default()) / 1_000_003.0
    }
}

/// One thread: a Lambda has less than two processors, and every thread costs start time and memory.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            metrics::write_line(
                &json!({"level": "error", "function": "alerter", "error": error.to_string()}).to_string(),
            );
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let lookup = |name: &str| std::env::var(name).ok();
    let config = Config::read(lookup)?;
    let sdk = aws::sdk_config(lookup)?;
    let (store, notifier, quarantine) = aws::adapters(&sdk, &config);
    let alerter = Alerter {
        store: Arc::new(store),
        notifier: Arc::new(notifier),
        quarantine: Arc::new(quarantine),
        clock: Arc::new(System),
        config,
    };
    let alerter = &alerter;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        answer(alerter, event).await
    }))
    .await
}

async fn answer(alerter: &Alerter, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Error> {
    let context = event.context;
    let deadline =
        Timestamp::from_millis(i64::try_from(context.deadline).unwrap_or(i64::MAX)).unwrap_or(alerter.clock.now());
    let mut about = Map::new();
    about.insert("level".to_owned(), json!("info"));
    about.insert("request_id".to_owned(), json!(context.request_id));
    about.insert("trace_id".to_owned(), json!(context.xray_trace_id));
    let started = alerter.clock.now();
    let mut counters = metrics::Counters::default();
    let result = match Invocation::read(event.payload.get())? {
        Invocation::Batch(records) => {
            about.insert("invocation".to_owned(), json!("batch"));
            let failed = alerter.batch(&records, deadline, &mut counters).await;
            failed.map(|failed| response(&failed)).map_err(Error::from)
        }
        Invocation::Sweep => {
            about.insert("invocation".to_owned(), json!("sweep"));
            let done = alerter.sweep(deadline, &mut counters).await;
            done.map(|()| json!({"alerted": counters.alerted})).map_err(Error::from)
        }
        Invocation::Check => {
            about.insert("invocation".to_owned(), json!("check"));
            alerter
                .check(deadline)
                .await
                .map(|()| json!({"ok": true}))
                .map_err(Error::from)
        }
    };
    let now = alerter.clock.now();
    about.insert("duration_ms".to_owned(), json!(now.millis() - started.millis()));
    if let Err(error) = &result {
        about.insert("level".to_owned(), json!("error"));
        about.insert("error".to_owned(), json!(error.to_string()));
    }
    metrics::write_line(&counters.line(&about, now));
    result
}

/// Lambda's partial batch response: everything from the lowest of these comes again, nothing when there are none.
fn response(failed: &[String]) -> Value {
    let failures: Vec<_> = failed.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}
