//! `whodunit causes`: the catalogue.

use std::io;

use clap::{Args, ValueEnum};
use whodunit_filters::attribution::{cause, reference};

use super::End;
use super::output::put;
use crate::notice;

/// List every cause that a verdict can name; with an id, tell all about one of them.
///
/// That is: what it means, the evidence that proves it, what to do, and what other systems call it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  whodunit causes
  whodunit causes keepalive_race
  whodunit causes --format json | jq -r '.[].id'

Ids are public and never renamed: alerts and dashboards may rest on them.
Exit codes: 0 printed, 2 there is no such cause, 70 internal error.")]
pub(super) struct Causes {
    /// The id of one cause, as in `cause=…` of a Proxy-Status
    id: Option<String>,
    /// How to print it
    #[arg(long, short, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    Markdown,
}

impl Causes {
    pub(super) fn main(self) -> io::Result<End> {
        let Some(id) = self.id else {
            put(&match self.format {
                Format::Text => reference::list(),
                Format::Json => reference::json(),
                Format::Markdown => reference::markdown(),
            })?;
            return Ok(End::Fine);
        };
        let Some(row) = cause::find(&id) else {
            let hint = cause::nearest(&id).map_or_else(
                || "`whodunit causes` lists them all".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            notice::say(&format!("there is no cause `{id}`; {hint}"));
            return Ok(End::Misused);
        };
        put(&match self.format {
            Format::Text => reference::entry(row),
            Format::Json => reference::entry_json(row),
            Format::Markdown => reference::entry_markdown(row),
        })?;
        Ok(End::Fine)
    }
}
