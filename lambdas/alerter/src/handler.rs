//! Between Lambda's runtime and the alerter: invocations in, answers and one line of log out.

use std::time::Duration;

use aws_lambda_events::event::streams::KinesisEventResponse;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json, value::RawValue};
use weir_anomaly::Timestamp;
use weir_lambda::line::{self, Line};

use crate::{Alerter, decode::Invocation, metrics::Counters, ports::Clock};

/// Answers invocations until the process ends. A panic in one is caught by the runtime, which reports it as the
/// invocation's error: the batch comes again, and the process goes on.
///
/// # Errors
/// When Lambda's runtime API cannot be reached.
pub async fn serve(alerter: &Alerter) -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| answer(alerter, event).await)).await
}

/// Answers one invocation.
async fn answer(alerter: &Alerter, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Error> {
    let context = event.context;
    let started = weir_lambda::now();
    let deadline = i64::try_from(context.deadline).ok().and_then(Timestamp::from_millis).unwrap_or(started);
    let mut counters = Counters::default();
    let (kind, result) = match Invocation::read(event.payload.get())? {
        Invocation::Batch(records) => {
            let failed = alerter.batch(&records, deadline, &mut counters).await;
            ("batch", response(failed))
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
fn response(failed: Vec<String>) -> Result<Value, Error> {
    let mut response = KinesisEventResponse::default();
    response.set_failures(failed);
    Ok(serde_json::to_value(response)?)
}

/// Wall clock and real pauses.
pub struct System;

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
