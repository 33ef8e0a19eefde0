//! The heartbeat Lambda: reads its environment, makes its clients, beats once an invocation.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use weir_heartbeat::{
    FIRST_PAUSE, Heartbeat,
    arroyo::Arroyo,
    aws,
    config::Config,
    ports::{ApiKey, Pipelines, Stream},
};
use weir_lambda::{
    Env,
    line::{self, Line},
};

/// Attempts of one call, by the SDK: a beat has few calls and a minute for them.
const ATTEMPTS: u32 = 3;

/// One thread: a Lambda has less than two processors, and every thread costs start time and memory.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    weir_lambda::ended(run().await)
}

async fn run() -> Result<(), Error> {
    let env = Env(|name: &str| std::env::var(name).ok());
    let config = Config::read(&env)?;
    let sdk = weir_lambda::sdk_config(&env, RetryConfig::standard().with_max_attempts(ATTEMPTS))?;
    let pipelines: Option<Arc<dyn Pipelines>> = match &config.arroyo {
        Some(arroyo) => {
            let key = arroyo.key_secret.as_ref().map(|id| Arc::new(aws::SecretKey::new(&sdk, id)) as Arc<dyn ApiKey>);
            Some(Arc::new(Arroyo::new(&arroyo.url, key)))
        }
        None => None,
    };
    let stream = |sdk: &_, name: &str| Arc::new(aws::KinesisStream::new(sdk, name)) as Arc<dyn Stream>;
    let heartbeat = Heartbeat {
        stream: stream(&sdk, &config.stream),
        further: config.further.iter().map(|name| (name.clone(), stream(&sdk, name))).collect(),
        notes: Arc::new(aws::DynamoNotes::new(&sdk, &config.table)),
        pipelines,
        time: config.time,
        pause: FIRST_PAUSE,
    };
    let heartbeat = &heartbeat;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| answer(heartbeat, event).await)).await
}

async fn answer(heartbeat: &Heartbeat, event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload.get("weir").map(Value::as_str) {
        None => beat(heartbeat, event.context).await,
        Some(Some("check")) => check(heartbeat, event.context).await,
        Some(_) => Err("the payload is neither {} nor {\"weir\":\"check\"}".into()),
    }
}

/// What Lambda leaves this invocation.
fn left(context: &Context) -> Duration {
    context.deadline().duration_since(SystemTime::now()).unwrap_or_default()
}

/// The deploy's check. Its line holds no metrics: nothing was measured.
async fn check(heartbeat: &Heartbeat, context: Context) -> Result<Value, Error> {
    let started = weir_lambda::now();
    let result = heartbeat.check(started, left(&context)).await;
    let mut line = json!({"level": if result.is_ok() { "info" } else { "error" }, "invocation": "check",
        "function": context.env_config.function_name, "request_id": context.request_id});
    match &result {
        Ok(None) => {}
        Ok(Some(fault)) => line["faults"] = json!([format!("arroyo: {fault}")]),
        Err(error) => line["error"] = error.to_string().into(),
    }
    line::write(&line.to_string());
    Ok(result.map(|_| json!({"ok": true}))?)
}

async fn beat(heartbeat: &Heartbeat, context: Context) -> Result<Value, Error> {
    let started = weir_lambda::now();
    let (beat, failure) = match heartbeat.beat(&context.request_id, started, left(&context)).await {
        Ok(beat) => (beat, None),
        Err((beat, fault)) => (beat, Some(fault)),
    };
    let now = weir_lambda::now();
    let invocation = line::Invocation {
        function: context.env_config.function_name.clone(),
        kind: "beat",
        request_id: context.request_id,
        trace_id: context.xray_trace_id,
        started,
        error: failure.as_ref().map(ToString::to_string),
    };
    let mut line = Line::of(invocation, now);
    beat.tell(&mut line);
    line::write(&line.finish(now));
    match failure {
        Some(fault) => Err(fault.into()),
        None => Ok(json!({"control_records": beat.put})),
    }
}
