//! `weir help`: the commands, grouped by what one wants to do.

use std::fmt::Write as _;

use clap::Command;

/// What one wants to do, and the commands for it.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Begin a project", &["init", "add", "new", "list", "streams", "rows"]),
    (
        "Write and test rules",
        &["check", "test", "backtest", "studio", "review", "compile", "run", "health", "generate"],
    ),
    ("Try it on this machine", &["demo", "up", "put", "tail", "down"]),
    ("Deploy it", &["deploy", "plan", "apply", "status", "doctor", "rollback", "destroy", "ui", "serve"]),
    ("Look at what was found", &["show", "explain", "silence", "quarantine", "failures"]),
    ("About this command", &["self", "completions", "man", "help"]),
];

/// Where the texts beside the names begin ...
const INDENT: usize = 15;
/// ... and how long they are: together a terminal of 80 columns.
const WIDTH: usize = 79 - INDENT;

const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}{after-help}\nOptions:\n{options}";

/// The command with its help grouped.
pub(crate) fn grouped(command: Command) -> Command {
    let mut text = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(text, "{title}:");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
            let about = about.unwrap_or_else(|| "Print this list, or the help of a command".to_owned());
            let _ = writeln!(text, "  {name:<12} {}", hanging(&about));
        }
        text.push('\n');
    }
    command.help_template(TEMPLATE).after_help(text.trim_end().to_owned() + "\n")
}

/// A text beside its command's name: further lines begin below the first.
fn hanging(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let long = lines.last().is_some_and(|line| line.len() + word.len() >= WIDTH);
        match lines.last_mut() {
            Some(line) if !long && !line.is_empty() => *line = format!("{line} {word}"),
            Some(line) if !long => line.push_str(word),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{}", " ".repeat(INDENT)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::Cli;

    #[test]
    fn every_command_is_in_one_group() {
        let command = Cli::command();
        let known: BTreeSet<&str> = command.get_subcommands().map(Command::get_name).chain(["help"]).collect();
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        assert_eq!(grouped.iter().copied().collect::<BTreeSet<_>>(), known);
        assert_eq!(grouped.len(), known.len());
        Cli::command().debug_assert();
    }

    /// The help of every command, as a terminal of 100 columns shows it.
    #[test]
    fn the_help_of_every_command() {
        let mut weir = grouped(Cli::command()).term_width(100);
        weir.build();
        let mut text = String::new();
        say(&mut weir, &mut text);
        insta::assert_snapshot!(text);
    }

    fn say(command: &mut Command, text: &mut String) {
        let name = command.get_bin_name().unwrap_or("weir").to_owned();
        let help = command.clone().term_width(100).render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = writeln!(text, "==== {name}\n{}\n", lines.join("\n"));
        for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
            say(inner, text);
        }
    }
}
