//! The command line. One file a command.

mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A reverse proxy that names who broke the request.
#[derive(Debug, Parser)]
#[command(name = "whodunit", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
}

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(run) => run.main(),
    }
}
