//! `whodunit completions`: for shells.

use std::io;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::output::put;
use super::{Cli, End};

/// Print what a shell needs to complete this command line.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  whodunit completions bash > /etc/bash_completion.d/whodunit
  whodunit completions zsh > \"${fpath[1]}/_whodunit\"
  whodunit completions fish > ~/.config/fish/completions/whodunit.fish

Exit codes: 0 printed, 2 there is no such shell, 70 internal error.")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn main(self) -> io::Result<End> {
        // Generating writes to a buffer, since it panics when what it writes to is closed.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "whodunit", &mut script);
        put(&String::from_utf8_lossy(&script))?;
        Ok(End::Fine)
    }
}
