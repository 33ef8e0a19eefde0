//! Between Lambda's runtime and the gate: invocations in, answers and one line of log out.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json, value::RawValue};
use weir_anomaly::Timestamp;
use weir_lambda::{
    kinesis::response,
    line::{self, Line},
};

use crate::{Gate, Invocation, metrics::Counters};

/// Answers invocations until the process ends. A panic in one is caught by the runtime, which reports it as the
/// invocation's error: the batch comes again, and the process goes on.
///
/// # Errors
/// When Lambda's runtime API cannot be reached.
pub async fn serve(gate: &Gate) -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| answer(gate, event).await)).await
}

/// Answers one invocation.
async fn answer(gate: &Gate, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Error> {
    let context = event.context;
    let started = weir_lambda::now();
    let deadline = i64::try_from(context.deadline).ok().and_then(Timestamp::from_millis).unwrap_or(started);
    let mut counters = Counters::default();
    let (kind, result) = match Invocation::read(event.payload.get())? {
        Invocation::Batch(records) => {
            let failed = gate.batch(&records, deadline, &mut counters).await;
            ("batch", Ok(response(&failed)))
        }
        Invocation::Check => {
            let fine = gate.check(deadline).await;
            ("check", fine.map(|()| json!({"ok": true})).map_err(Error::from))
        }
    };
    let now = weir_lambda::now();
    let mut line = Line::new(&context.env_config.function_name);
    line.field("level", if result.is_ok() { "info" } else { "error" });
    line.field("invocation", kind);
    line.field("stream", gate.unpacker.declaration().name.as_str());
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
