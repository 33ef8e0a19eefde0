//! `weir tail`: anomalies as they come.

use std::time::{Duration, Instant};

use anyhow::Result;
use weir_anomaly::Record;
use weir_cloud::stream::{From, Tail};
use weir_terminal::{interrupted, visible};

use crate::target::DeployedTarget;

/// Follows the anomalies stream until it is interrupted
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir tail --stack local --json | jq .score")]
pub(crate) struct TailCommand {
    #[command(flatten)]
    target: DeployedTarget,
    /// The stream, when it is not the stack's own
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Begins at the oldest record that the stream keeps
    #[arg(long)]
    oldest: bool,
    /// Prints records as they are, one a line
    #[arg(long)]
    json: bool,
}

/// How often it is looked whether a local stack's engine still runs.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

pub(crate) async fn run(command: TailCommand) -> Result<()> {
    let (clients, names) = command.target.connect().await?;
    let stream = command.stream.or(names.map(|c| c.anomalies_stream)).unwrap_or_else(|| "weir-anomalies".to_owned());
    let from = if command.oldest { From::Oldest } else { From::Now };
    let follow = async {
        let mut tail = Tail::open(&clients, &stream, from).await?;
        eprintln!("following {stream}; Ctrl-C ends it");
        let mut looked = Instant::now();
        let mut warned = command.target.warn_if_unread()?;
        loop {
            for record in tail.next().await? {
                print(&record, command.json);
            }
            // What ends meanwhile is said once.
            if !warned && looked.elapsed() > LOOK_INTERVAL {
                looked = Instant::now();
                warned = command.target.warn_if_unread()?;
            }
        }
    };
    tokio::select! {
        ended = follow => ended,
        _ = interrupted() => Ok(()),
    }
}

fn print(record: &[u8], json: bool) {
    if json {
        println!("{}", String::from_utf8_lossy(record));
        return;
    }
    match Record::parse(record) {
        Ok(Record::Anomaly(a)) => {
            let number = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), |n| format!("{n}"));
            println!(
                "{}  {:8}  {:18}  {}  value {}  expected {}  score {:.2}  {}",
                a.timestamp,
                a.severity,
                visible(&a.rule),
                visible(&a.key),
                number(a.value),
                number(a.expected),
                a.score,
                a.id
            );
        }
        Ok(Record::Poison(p)) => {
            println!("poison    {}  {} (part {} of {})", visible(&p.stream), p.reason.as_str(), p.part, p.parts)
        }
        Err(error) => println!("no anomaly: {}", visible(&error.to_string())),
    }
}
