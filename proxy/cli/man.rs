//! `whodunit man`: the manual page.

use std::io;

use clap::{Args, CommandFactory as _};

use super::output::put;
use super::{Cli, End};
use crate::notice;

/// Print the manual page.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  whodunit man > /usr/local/share/man/man1/whodunit.1
  whodunit man run | man -l -

Exit codes: 0 printed, 2 there is no such command, 70 internal error.")]
pub(super) struct Man {
    /// The page of one command, instead of the one on all of them
    command: Option<String>,
}

impl Man {
    pub(super) fn main(self) -> io::Result<End> {
        let mut cli = Cli::command();
        cli.build();
        let page = match self.command.as_deref() {
            None => Some(&cli),
            Some(name) => cli.find_subcommand(name),
        };
        let Some(page) = page.cloned() else {
            let name = self.command.unwrap_or_default();
            notice::say(&format!("there is no command `{name}`; `whodunit --help` lists them"));
            return Ok(End::Misused);
        };
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text)?;
        put(&String::from_utf8_lossy(&text))?;
        Ok(End::Fine)
    }
}
