//! `weir up`: the local stack, left to a person.

use anyhow::Result;
use weir_local::{Condition, Connection, Health, Stack, StackOptions};
use weir_project::{EnvironmentOptions, Repo, compile::load_pack};
use weir_rules::Environment;
use weir_terminal::interrupted;

/// Starts the local stack and leaves it running; of a stack that is up, it starts what is missing
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
    let health = Health::of(&repo, name);
    let connection = match health.as_ref().and_then(|health| Some((health, health.connection.clone()?))) {
        Some((health, connection)) if health.emulator.condition.runs() => {
            if health.engine.condition.runs() {
                say_what_runs(name, health);
            } else {
                start_engine(&repo, &command.stack, &connection, environment, health).await?;
            }
            connection
        }
        _ => {
            if let Some(health) = &health {
                let (what, said) = (health.emulator.name, health.emulator.said());
                eprintln!(
                    "stack `{name}` was not ended with `weir down`: {what} {said}. What it held is lost: all of it is started anew"
                );
            }
            start(&repo, &command.stack, environment).await?
        }
    };
    println!("export AWS_ENDPOINT_URL={} AWS_REGION={}", connection.endpoint, connection.region);
    println!("export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test");
    for (declared, stream) in &connection.declared {
        eprintln!("stream `{declared}`: weir put --stack {name} --stream {stream} FILE");
    }
    eprintln!(
        "stack `{name}` is up. Put events: weir put --stack {name} FILE. Watch anomalies: weir tail --stack {name}. How it does: weir status --stack {name}. End it: weir down --stack {name}\n\
         with the AWS CLI: streams {} and {}, table {}",
        connection.events_stream, connection.anomalies_stream, connection.table
    );
    Ok(())
}

/// Nothing is missing; what does not do well is said.
fn say_what_runs(name: &str, health: &Health) {
    eprintln!("stack `{name}` is up already: nothing was missing, nothing was started");
    for part in [&health.emulator, &health.engine] {
        if part.condition == Condition::Silent {
            eprintln!(
                "  but {} {}\n  hint: weir down --stack {name}, then weir up --stack {name}",
                part.name,
                part.said()
            );
        }
    }
}

/// Brings up all of it.
async fn start(repo: &Repo, options: &StackOptions, environment: Environment) -> Result<Connection> {
    let mut stack = Stack::prepare(repo, options).await?;
    let starting = async {
        let connection = stack.provision(&environment).await?;
        stack.compile(&connection, environment)?;
        stack.start_engine(&connection).await?;
        Ok(connection)
    };
    let outcome = tokio::select! {
        outcome = starting => outcome,
        stopped = interrupted() => Err(stopped),
    };
    match outcome {
        Ok(connection) => {
            stack.detach();
            Ok(connection)
        }
        Err(error) => {
            stack.down().await;
            Err(error)
        }
    }
}

/// Starts the engine of a stack whose other parts run. Where that fails, the rest is left as it is.
async fn start_engine(
    repo: &Repo,
    options: &StackOptions,
    connection: &Connection,
    environment: Environment,
    health: &Health,
) -> Result<()> {
    let name = &options.name;
    eprintln!("of stack `{name}` {} {}: it is started again", health.engine.name, health.engine.said());
    let mut stack = Stack::resume(repo, options, connection)?;
    if stack.compile_again(connection, environment)? {
        eprintln!("  the rules have changed since: it begins at the oldest event, and finds no anomaly twice");
    } else {
        eprintln!("  it goes on where its last checkpoint left off");
    }
    tokio::select! {
        started = stack.start_engine(connection) => started?,
        stopped = interrupted() => return Err(stopped),
    }
    stack.detach();
    eprintln!("started: {}. It ran already: {}, with all its resources", health.engine.name, health.emulator.name);
    Ok(())
}
