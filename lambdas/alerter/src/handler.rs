//! Between Lambda's runtime and the alerter: invocations in, answers and one line of log out.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json, value::RawValue};
use weir_anomaly::Timestamp;
pub use weir_lambda::ports::System;
use weir_lambda::{
    kinesis::response,
    line::{self, Line},
};

use crate::{Alerter, decode::Invocation, metrics::Counters};

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
            ("batch", Ok(response(&failed)))
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
    let invocation = line::Invocation {
        function: context.env_config.function_name.clone(),
        kind,
        request_id: context.request_id,
        trace_id: context.xray_trace_id,
        started,
        error: result.as_ref().err().map(ToString::to_string),
    };
    let mut line = Line::of(invocation, now);
    counters.tell(&mut line);
    line::write(&line.finish(now));
    result
}
