//! The command line. One file a command.

mod causes;
mod check;
mod completions;
mod demo;
mod explain;
mod lab;
mod man;
mod output;
mod run;
mod schema;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::notice;
use crate::server::MISCONFIGURED;

/// A reverse proxy that names who broke the request.
#[derive(Debug, Parser)]
#[command(
    name = "whodunit",
    version,
    about,
    max_term_width = 100,
    after_help = "To begin with:
  whodunit demo                                    watch it, one failure after another
  whodunit run --upstream http://127.0.0.1:3000    put it in front of a service

Exit codes: 0 fine, 1 the thing examined is unwell, 2 usage or configuration error, 70 internal."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Explain(explain::Explain),
    Causes(causes::Causes),
    Demo(demo::Demo),
    Lab(lab::Lab),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All is well.
    Fine,
    /// The thing examined is not.
    Unwell,
    /// A mistake in usage or configuration, which has been told.
    Misused,
    /// A mistake of ours, which has been told.
    Internal,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        Self::from(match end {
            End::Fine => 0,
            End::Unwell => 1,
            End::Misused => MISCONFIGURED,
            End::Internal => 70,
        })
    }
}

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(run) => catch_unwind(|| run.main()).unwrap_or_else(|_| broke_down().into()),
        Command::Check(check) => end(|| check.main()),
        Command::Explain(explain) => end(|| explain.main()),
        Command::Causes(causes) => end(|| causes.main()),
        Command::Demo(demo) => end(|| demo.main()),
        Command::Lab(lab) => end(|| lab.main()),
        Command::Schema(schema::Schema {}) => end(schema::Schema::main),
        Command::Completions(completions) => end(|| completions.main()),
        Command::Man(man) => end(|| man.main()),
    }
}

/// Does it, and makes an exit code of what became of it.
fn end(command: impl FnOnce() -> io::Result<End>) -> ExitCode {
    settled(command).into()
}

fn settled(command: impl FnOnce() -> io::Result<End>) -> End {
    match catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(end)) => end,
        // Whoever reads the output has seen enough, as `head` does.
        Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => End::Fine,
        Ok(Err(error)) => {
            notice::say(&format!("it cannot be done: {error}"));
            End::Internal
        }
        Err(_) => broke_down(),
    }
}

/// The panic itself has been told by then, with its place.
fn broke_down() -> End {
    notice::say("this is a bug of whodunit; please report it with the lines above");
    End::Internal
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples_and_exit_codes() {
        for command in Cli::command().get_subcommands() {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Examples:"), "{}", command.get_name());
            assert!(after.contains("Exit codes:"), "{}", command.get_name());
        }
    }

    #[test]
    fn each_way_to_end_has_its_code() {
        let failing = |kind| settled(move || Err(io::Error::from(kind)));
        assert_eq!(settled(|| Ok(End::Unwell)), End::Unwell);
        assert_eq!(failing(io::ErrorKind::BrokenPipe), End::Fine);
        assert_eq!(failing(io::ErrorKind::StorageFull), End::Internal);
        assert_eq!(settled(|| panic!("on purpose")), End::Internal);
        assert_eq!(ExitCode::from(End::Internal), ExitCode::from(70));
    }
}
