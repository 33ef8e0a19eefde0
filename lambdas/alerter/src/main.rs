//! The alerter Lambda: reads its environment, makes its clients, answers invocations.

use std::{process::ExitCode, sync::Arc, time::Duration};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json, value::RawValue};
use weir_alerter::{Alerter, aws, config::Config, decode::Invocation, metrics::Counters, ports::Clock};
use weir_anomaly::Timestamp;
use weir_lambda::{
    Env,
    line::{self, Line},
};

/// Wall clock and real pauses.
struct System;

#[async_trait::async_trait]
impl Clock for System {
    fn now(&self) -> Timestamp {
        weir_lambda::now()
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
            let function = weir_lambda::function_name();
            line::write(&json!({"level": "error", "function": function, "error": error.to_string()}).to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let lookup = |name: &str| std::env::var(name).ok();
    let config = Config::read(lookup)?;
    // `retry::Budget` tries again, item by item and inside the invocation's deadline.
    let sdk = weir_lambda::sdk_config(&Env(lookup), RetryConfig::disabled())?;
    let (store, notifier, quarantine) = aws::adapters(&sdk, &config);
    let alerter = Alerter {
        store: Arc::new(store),
        notifier: Arc::new(notifier),
        quarantine: Arc::new(quarantine),
        clock: Arc::new(System),
        config,
    };
    let alerter = &alerter;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| answer(alerter, event).await)).await
}

/// Answers one invocation. A panic would be caught by the runtime, which reports it and fails the batch, not the data.
async fn answer(alerter: &Alerter, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Error> {
    let context = event.context;
    let started = weir_lambda::now();
    let deadline = i64::try_from(context.deadline).ok().and_then(Timestamp::from_millis).unwrap_or(started);
    let mut counters = Counters::default();
    let (kind, result) = match Invocation::read(event.payload.get())? {
        Invocation::Batch(records) => {
            let failed = alerter.batch(&records, deadline, &mut counters).await;
            ("batch", failed.map(|failed| response(&failed)).map_err(Error::from))
        }
        Invocation::Sweep => {
            let done = alerter.sweep(deadline, &mut counters).await;
            ("sweep", done.map(|()| json!({"alerted": counters.alerted})).map_err(Error::from))
        }
        Invocation::Check => {
            let fine = alerter.check(deadline).await;
            ("check", fine.map(|()| json!({"ok": true})).map_err(Error::from))
        }
    };
    for (id, outcome) in &counters.outcomes {
        line::write(
            &json!({"level": "debug", "request_id": context.request_id, "id": id, "outcome": outcome}).to_string(),
        );
    }
    let now = weir_lambda::now();
    let mut line = Line::new(&context.env_config.function_name);
    line.field("level", if result.is_ok() { "info" } else { "error" });
    line.field("invocation", kind);
    line.field("request_id", context.request_id);
    line.field("trace_id", context.xray_trace_id);
    line.field("duration_ms", now.millis() - started.millis());
    if let Err(error) = &result {
        line.field("error", error.to_string());
    }
    counters.tell(&mut line);
    line::write(&line.finish(now));
    result
}

/// Lambda's partial batch response: everything from the lowest of these comes again, nothing when there are none.
fn response(failed: &[String]) -> Value {
    let failures: Vec<_> = failed.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}
