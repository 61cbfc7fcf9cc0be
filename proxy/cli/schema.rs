//! `whodunit schema`: the configuration for editors.

use std::io;

use clap::Args;

use super::End;
use super::output::put;

/// Print the JSON Schema of the configuration, by which editors complete and check it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  whodunit schema > whodunit.schema.json
  and as the first line of the configuration, for editors with a YAML language server:
    # yaml-language-server: $schema=whodunit.schema.json

`whodunit check` finds more: what the settings mean together, and whether files can be read.
Exit codes: 0 printed, 70 internal error.")]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn main() -> io::Result<End> {
        put(&format!("{:#}\n", whodunit_conf::schema()))?;
        Ok(End::Fine)
    }
}
