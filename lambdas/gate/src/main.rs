//! The gate Lambda: reads its environment, makes its clients, answers invocations.

use std::{process::ExitCode, sync::Arc};

use aws_sdk_kinesis::config::retry::RetryConfig;
use lambda_runtime::Error;
use weir_gate::{Gate, aws::KinesisPlainStream, config::Config, handler};
use weir_lambda::{Env, ports::System, sqs::SqsQuarantine};
use weir_stream::plain::Unpacker;

/// One thread: a Lambda has less than two processors, and every thread costs start time and memory.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    weir_lambda::ended(run().await)
}

async fn run() -> Result<(), Error> {
    let env = Env(|name: &str| std::env::var(name).ok());
    let config = Config::read(&env)?;
    // `retry::Budget` tries again, record by record and inside the invocation's deadline.
    let sdk = weir_lambda::sdk_config(&env, RetryConfig::disabled())?;
    let gate = Gate {
        unpacker: Unpacker::new(&config.declaration),
        plain: Arc::new(KinesisPlainStream::new(&sdk, &config.plain_stream)),
        quarantine: Arc::new(SqsQuarantine::new(&sdk, &config.quarantine)),
        clock: Arc::new(System),
        memory: Arc::default(),
    };
    handler::serve(&gate).await
}
