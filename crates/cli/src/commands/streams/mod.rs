//! `weir streams`: the streams that a project declares, and the first lines of a new one.

mod add;
mod declared;
mod first_rule;
mod words;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use weir_project::{EnvironmentOptions, Repo, compile::load_pack};
use weir_stream::{Declaration, Fault};

use crate::table::in_columns;
pub(crate) use add::{AddCommand, prepare};
pub(crate) use declared::declared;
pub(crate) use first_rule::first_rule;

/// Lists the streams of the project, or adds one from a sample
///
/// A stream's file, sql/streams/NAME.toml, says what the records of a Kinesis stream are: docs/streams.md. Without a command,
/// the list: one line a stream, and what is wrong with the files. Exit codes: 0 all files are fine; 1 one is not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir streams\n  weir streams add climate --from records.jsonl\n  weir rows climate --input records.jsonl"
)]
pub(crate) struct StreamsCommand {
    #[command(subcommand)]
    what: Option<What>,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    Add(AddCommand),
    /// Prints the declared streams as Terraform's variable `streams`, which `weir deploy` passes by itself
    ///
    /// For those who run Terraform otherwise: weir streams terraform --env prod > terraform/streams.auto.tfvars.json
    Terraform {
        /// The environment: a file below sql/environments, without .toml. The project's own default, or `local`, without it
        #[arg(long = "env", value_name = "NAME")]
        environment: Option<String>,
    },
}

pub(crate) async fn run(command: StreamsCommand) -> Result<std::process::ExitCode> {
    match command.what {
        Some(What::Add(add)) => add::run(add).await.map(|()| std::process::ExitCode::SUCCESS),
        Some(What::Terraform { environment }) => terraform(environment),
        None => list(command.json),
    }
}

fn terraform(environment: Option<String>) -> Result<std::process::ExitCode> {
    let repo = Repo::find()?;
    let options = EnvironmentOptions { environment, set: Vec::new() };
    // What is wrong with the environment, and a name that is none.
    options.load(&repo, &load_pack(&repo.sql())?)?;
    print!("{}", weir_deploy::stream_variables(&repo, options.name(&repo))?);
    Ok(std::process::ExitCode::SUCCESS)
}

fn list(as_json: bool) -> Result<std::process::ExitCode> {
    let repo = Repo::find()?;
    let files = declared::files(&repo)?;
    let read: Vec<_> = files.iter().map(|file| (file, declared::read(file))).collect();
    let mut faults: Vec<&Fault> = Vec::new();
    let mut streams = Vec::new();
    for (_, found) in &read {
        match found {
            Ok(declaration) => streams.push(declaration),
            Err(wrong) => faults.extend(wrong),
        }
    }
    if as_json {
        let streams: Vec<_> = streams.iter().map(|stream| words::json(stream)).collect();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        println!("{}", json!({ "streams": streams, "faults": faults }));
    } else {
        print!("{}", table(&streams));
        if streams.is_empty() && faults.is_empty() {
            eprintln!(
                "the project declares no stream: its rules read Weir's own events\n  hint: weir streams add NAME --from SAMPLE declares one"
            );
        }
        faults.iter().for_each(|fault| eprintln!("{fault}"));
    }
    Ok(if faults.is_empty() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE })
}

/// One line a stream, in columns.
fn table(streams: &[&Declaration]) -> String {
    let mut lines = vec![["STREAM", "KINESIS", "RECORDS", "TIME", "KEY", "FIELDS"].map(str::to_owned)];
    lines.extend(streams.iter().map(|stream| words::line(stream)));
    if streams.is_empty() { String::new() } else { in_columns(&lines) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_a_stream_is() {
        let read = |name: &str, text: &str| Declaration::parse(format!("{name}.toml").as_ref(), text).unwrap();
        let climate = read(
            "climate",
            "stream = \"iot-climate\"\ntime = { path = \"last_seen\", format = \"rfc3339\" }\nkey = \"device\"\n[fields]\ndevice = \"text\"\ntemperature = \"double\"\n",
        );
        let flows = read(
            "flows",
            "envelope = \"cloudwatch_logs\"\nformat = \"text\"\npattern = \"vpc_flow_logs\"\n[fields]\nsrcaddr = \"text\"\n",
        );
        let raw = read(
            "raw",
            "envelope = [\"kpl\", \"gzip\", \"lines\"]\nformat = \"tsv\"\ncolumns = [\"a\"]\n[fields]\na = \"text\"\n",
        );
        insta::assert_snapshot!(table(&[&climate, &flows, &raw]), @"
        STREAM   KINESIS      RECORDS                  TIME                KEY     FIELDS
        climate  iot-climate  JSON                     last_seen, rfc3339  device  device, temperature
        flows    weir-flows   text in cloudwatch_logs  the log event's     -       srcaddr, log_group, log_stream
        raw      weir-raw     TSV in kpl, gzip, lines  arrival             -       a
        ");
    }
}
