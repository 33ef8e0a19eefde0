//! `weir backtest`: what the rules would have said about history.

use std::path::PathBuf;

use anyhow::{Context, Result};
use weir_anomaly::Timestamp;
use weir_backtest::{Answer, BacktestOptions, backtest};
use weir_project::EnvironmentOptions;
use weir_rules::Interval;

use crate::{columns::ColumnOptions, target::Target};

/// Replays history through the rules at full speed, and says what they would have found
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir backtest --input readings.csv --plot plot.svg\n  weir backtest --input records.jsonl --as climate\n  weir backtest --input history/ --rules zscore --labels labels.json --json\n  weir backtest --input s3://my-bucket/readings/2026/ --json\n  weir backtest --input kinesis://weir-events --compare main --markdown"
)]
pub(crate) struct BacktestCommand {
    /// A file (JSON, CSV with a header line, either also as gzip or zstd, or Parquet), a folder of such files, s3://BUCKET/PREFIX for
    /// the same in S3, or kinesis://STREAM for what the stream keeps
    #[arg(long, required = true, num_args = 1.., value_name = "FILE|FOLDER|s3://BUCKET/PREFIX|kinesis://STREAM")]
    input: Vec<String>,
    /// Reads the input as raw records of this declared stream (sql/streams/NAME.toml), exactly as the stream is read
    #[arg(long = "as", value_name = "NAME")]
    stream: Option<String>,
    /// With --as, for streams that go by arrival: records of files arrive so far apart, such as 1s
    #[arg(long, value_name = "INTERVAL")]
    every: Option<Interval>,
    /// Only these rules: names, their files, or folders of them
    #[arg(long, num_args = 1.., value_delimiter = ',', value_name = "RULE")]
    rules: Vec<String>,
    #[command(flatten)]
    environment: EnvironmentOptions,
    #[command(flatten)]
    columns: ColumnOptions,
    /// Reports only anomalies from this time on; earlier events still fill windows
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Ends the history here
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// What is known to be wrong: what `weir generate --labels-out` writes, or NAB's combined_windows.json
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Writes the anomalies, one JSON object a line
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draws series, expected bands, anomalies and labels
    #[arg(long, value_name = "FILE.svg|FILE.html")]
    plot: Option<PathBuf>,
    /// At most so many series in the plot
    #[arg(long, default_value_t = 12, value_name = "COUNT")]
    plot_series: usize,
    /// Says what the rules gain and lose against those of a git revision, or of another folder with tables.sql and rules
    #[arg(long, value_name = "REVISION|FOLDER")]
    compare: Option<String>,
    /// Prints Markdown, fit for a comment on a pull request
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Prints the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) async fn run(command: BacktestCommand) -> Result<()> {
    let (json, markdown, target) = (command.json, command.markdown, command.target.clone());
    let done = backtest(&command.options(), &async || Ok(target.connect().await?.0)).await?;
    print(&done.answer, json, markdown)?;
    done.judgement
}

impl BacktestCommand {
    fn options(self) -> BacktestOptions {
        BacktestOptions {
            input: self.input,
            stream: self.stream,
            every: self.every,
            rules: self.rules,
            environment: self.environment,
            columns: self.columns.columns(),
            from: self.from,
            to: self.to,
            labels: self.labels,
            out: self.out,
            plot: self.plot,
            plot_series: self.plot_series,
            compare: self.compare,
        }
    }
}

fn print(answer: &Answer, json: bool, markdown: bool) -> Result<()> {
    if markdown {
        print!("{}", answer.markdown());
    } else if json {
        println!("{}", serde_json::to_string_pretty(answer).context("the report as JSON")?);
    } else {
        println!("{answer}");
    }
    Ok(())
}
