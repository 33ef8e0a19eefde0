//! The alerter Lambda: reads its environment, makes its clients, answers invocations.

use std::{process::ExitCode, sync::Arc};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use lambda_runtime::Error;
use weir_alerter::{
    Alerter, aws,
    config::Config,
    handler::{self, System},
};
use weir_lambda::Env;

/// One thread: a Lambda has less than two processors, and every thread costs start time and memory.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    weir_lambda::ended(run().await)
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
        memory: Arc::default(),
        config,
    };
    handler::serve(&alerter).await
}
