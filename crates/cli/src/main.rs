//! The `weir` command.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks: data to stdout, all else to stderr"
)]

#[macro_use]
extern crate weir_terminal;

mod columns;
mod commands;
mod help;
mod table;
mod target;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// Anomaly rules in SQL: write, test and run them here, deploy them to your own AWS account.
///
/// Exit codes: 0 all is well; 1 something failed, or a rule or a test is wrong; 2 the command line is wrong; 3 the answer is
/// that something is to be done or is not well (`status`, `plan --exit-code`); 4 another run has the state (`run`, `serve`).
#[derive(Debug, Parser)]
#[command(name = "weir", version)]
struct Cli {
    /// The project's folder, in place of the nearest one from the working directory up
    #[arg(long, global = true, value_name = "DIR")]
    project: Option<std::path::PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(Box<commands::init::InitCommand>),
    Add(commands::add::AddCommand),
    List(commands::list::ListCommand),
    New(commands::new::NewCommand),
    Check(commands::check::CheckCommand),
    Compile(commands::compile::CompileCommand),
    Test(commands::test::TestCommand),
    Backtest(Box<commands::backtest::BacktestCommand>),
    Streams(commands::streams::StreamsCommand),
    Rows(commands::rows::RowsCommand),
    Review(Box<commands::review::ReviewCommand>),
    Run(commands::run::RunCommand),
    Serve(commands::serve::ServeCommand),
    Health(commands::health::HealthCommand),
    Demo(Box<commands::demo::DemoCommand>),
    Generate(commands::generate::GenerateCommand),
    Put(commands::put::PutCommand),
    Tail(commands::tail::TailCommand),
    Show(commands::show::ShowCommand),
    Explain(commands::explain::ExplainCommand),
    Silence(commands::silence::SilenceCommand),
    Quarantine(commands::quarantine::QuarantineCommand),
    Failures(commands::failures::FailuresCommand),
    Up(commands::up::UpCommand),
    Down(commands::down::DownCommand),
    Deploy(Box<weir_deploy::DeployCommand>),
    Plan(weir_deploy::plan::PlanCommand),
    Apply(weir_deploy::apply::ApplyCommand),
    Status(commands::status::StatusCommand),
    Doctor(weir_deploy::doctor::DoctorCommand),
    Rollback(weir_deploy::rollback::RollbackCommand),
    Destroy(weir_deploy::destroy::DestroyCommand),
    Ui(weir_deploy::ui::UiCommand),
    #[command(name = "self")]
    Own(commands::own::SelfCommand),
    Completions(commands::completions::CompletionsCommand),
    Man(commands::completions::ManCommand),
    Studio(Box<commands::studio::StudioCommand>),
}

fn main() -> ExitCode {
    let matches = help::grouped(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Some(root) = cli.project {
        weir_project::Repo::choose(root);
    }
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Init(command) => runtime.block_on(commands::init::run(&command)).map(done),
        Command::Add(command) => commands::add::run(&command).map(done),
        Command::List(command) => commands::list::run(&command).map(done),
        Command::New(command) => commands::new::run(&command).map(done),
        Command::Check(command) => runtime.block_on(commands::check::run(command)),
        Command::Compile(command) => commands::compile::run(&command).map(done),
        Command::Test(command) => runtime.block_on(commands::test::run(command)),
        Command::Backtest(command) => runtime.block_on(commands::backtest::run(*command)).map(done),
        Command::Streams(command) => runtime.block_on(commands::streams::run(command)),
        Command::Rows(command) => runtime.block_on(commands::rows::run(command)),
        Command::Review(command) => runtime.block_on(commands::review::run(*command)),
        Command::Run(command) => commands::run::run(command),
        Command::Serve(command) => commands::serve::run(command),
        Command::Health(command) => commands::health::run(&command).map(done),
        Command::Demo(command) => runtime.block_on(commands::demo::run(*command)).map(done),
        Command::Generate(command) => commands::generate::run(&command).map(done),
        Command::Put(command) => runtime.block_on(commands::put::run(command)).map(done),
        Command::Tail(command) => runtime.block_on(commands::tail::run(command)).map(done),
        Command::Show(command) => runtime.block_on(commands::show::run(command)).map(done),
        Command::Explain(command) => runtime.block_on(commands::explain::run(command)).map(done),
        Command::Silence(command) => runtime.block_on(commands::silence::run(command)).map(done),
        Command::Quarantine(command) => runtime.block_on(commands::quarantine::run(command)).map(done),
        Command::Failures(command) => runtime.block_on(commands::failures::run(command)).map(done),
        Command::Up(command) => runtime.block_on(commands::up::run(command)).map(done),
        Command::Down(command) => runtime.block_on(commands::down::run(command)).map(done),
        Command::Deploy(command) => runtime.block_on(weir_deploy::run(*command)),
        Command::Plan(command) => runtime.block_on(weir_deploy::plan::run(command)),
        Command::Apply(command) => runtime.block_on(weir_deploy::apply::run(command)),
        Command::Status(command) => runtime.block_on(commands::status::run(command)),
        Command::Doctor(command) => runtime.block_on(weir_deploy::doctor::run(command)),
        Command::Rollback(command) => runtime.block_on(weir_deploy::rollback::run(command)),
        Command::Destroy(command) => runtime.block_on(weir_deploy::destroy::run(command)),
        Command::Ui(command) => runtime.block_on(weir_deploy::ui::run(command)),
        Command::Own(command) => commands::own::run(&command),
        Command::Completions(command) => commands::completions::run(&command, Cli::command()).map(done),
        Command::Man(command) => commands::completions::man(&command, Cli::command()).map(done),
        Command::Studio(command) => runtime.block_on(commands::studio::run(*command)).map(done),
    }
}

/// The error and its causes in one line; hints, which stand on lines of their own, last.
fn chain(error: &anyhow::Error) -> String {
    let mut said = Vec::new();
    let mut hints = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        match text.split_once("\n  hint: ") {
            // Several faults in one message keep their hints beside them.
            Some((message, hint)) if !hint.contains('\n') => {
                said.push(message.to_owned());
                hints.push(format!("\n  hint: {hint}"));
            }
            _ => said.push(text),
        }
    }
    format!("{}{}", said.join(": "), hints.concat())
}
