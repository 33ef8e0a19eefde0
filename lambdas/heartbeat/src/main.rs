//! The heartbeat Lambda: reads its environment, makes its clients, beats once an invocation.

use std::{process::ExitCode, sync::Arc};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use weir_heartbeat::{FIRST_PAUSE, Heartbeat, arroyo::Arroyo, aws, config::Config, ports::Pipelines};
use weir_lambda::{
    Env,
    line::{self, Line},
};

/// Attempts of one call, by the SDK: a beat has few calls and a minute for them.
const ATTEMPTS: u32 = 3;

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
    let env = Env(|name: &str| std::env::var(name).ok());
    let config = Config::read(&env)?;
    let sdk = weir_lambda::sdk_config(&env, RetryConfig::standard().with_max_attempts(ATTEMPTS))?;
    let pipelines: Option<Arc<dyn Pipelines>> = match &config.arroyo {
        Some(arroyo) => {
            let key = match &arroyo.key_secret {
                Some(id) => Some(aws::secret(&sdk, id).await?),
                None => None,
            };
            Some(Arc::new(Arroyo::new(&arroyo.url, key)))
        }
        None => None,
    };
    let heartbeat = Heartbeat {
        stream: Arc::new(aws::KinesisStream::new(&sdk, &config.stream)),
        notes: Arc::new(aws::DynamoNotes::new(&sdk, &config.table)),
        pipelines,
        time: config.time,
        pause: FIRST_PAUSE,
    };
    let heartbeat = &heartbeat;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| answer(heartbeat, event).await)).await
}

async fn answer(heartbeat: &Heartbeat, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let started = weir_lambda::now();
    let (beat, failure) = match heartbeat.beat(&event.context.request_id, started).await {
        Ok(beat) => (beat, None),
        Err((beat, fault)) => (beat, Some(fault)),
    };
    let now = weir_lambda::now();
    let mut line = Line::new(&event.context.env_config.function_name);
    line.field("level", if failure.is_none() { "info" } else { "error" });
    line.field("request_id", event.context.request_id);
    line.field("trace_id", event.context.xray_trace_id);
    line.field("duration_ms", now.millis() - started.millis());
    if let Some(fault) = &failure {
        line.field("error", fault.to_string());
    }
    beat.tell(&mut line);
    line::write(&line.finish(now));
    match failure {
        Some(fault) => Err(fault.into()),
        None => Ok(json!({"control_records": beat.put})),
    }
}
