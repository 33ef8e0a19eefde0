//! `weir up`: the local stack, left to a person.

use anyhow::{Result, bail};

use crate::{
    compile::{EnvironmentOptions, load_pack},
    local::{Stack, StackOptions, interrupted, is_up},
    repo::Repo,
};

/// Starts the local stack and leaves it running
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir up && weir tail --stack local")]
pub(crate) struct UpCommand {
    #[command(flatten)]
    stack: StackOptions,
    #[command(flatten)]
    environment: EnvironmentOptions,
}

pub(crate) async fn run(command: UpCommand) -> Result<()> {
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    let environment = command.environment.load(&repo, &pack)?;
    let name = &command.stack.name;
    if is_up(&repo.stack_folder(name)) {
        bail!("stack `{name}` is up already\n  hint: make down ends it");
    }
    let mut stack = Stack::prepare(&repo, &command.stack).await?;
    let starting = async {
        let connection = stack.provision().await?;
        stack.compile(&connection, environment)?;
        stack.start_engine(&connection).await?;
        Ok(connection)
    };
    let outcome = tokio::select! {
        outcome = starting => outcome,
        stopped = interrupted() => Err(stopped),
    };
    let connection = match outcome {
        Ok(connection) => connection,
        Err(error) => {
            stack.down().await;
            return Err(error);
        }
    };
    stack.detach();
    println!("export AWS_ENDPOINT_URL={} AWS_REGION={}", connection.endpoint, connection.region);
    println!("export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test");
    eprintln!(
        "stack `{name}` is up. Put events: weir put --stack {name} FILE. Watch anomalies: weir tail --stack {name}. End it: weir down --stack {name}\n\
         with the AWS CLI: streams {} and {}, table {}",
        connection.events_stream, connection.anomalies_stream, connection.table
    );
    Ok(())
}
