//! `whodunit explain`: says in plain words what an error says.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use clap::Args;
use whodunit_filters::attribution::explain::explain;

use super::End;
use super::output::put;
use crate::notice;

/// The most bytes that are read.
const MAX: u64 = 16 << 20;

/// Say in plain words what an error says: who, what, why, how sure, and what to do next.
///
/// It reads the value of a Proxy-Status field, everything that `curl -i` or `curl -v` printed,
/// lines of whodunit's log, or the id of a cause. What other proxies say by RFC 9209 is
/// explained as well.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  curl -si http://127.0.0.1:8080/ | whodunit explain
  whodunit explain 'edge-1; error=connection_refused; cause=connect_refused; party=origin'
  grep 01JD3WZ9Q4T7M2X8V5B6N0CRKE whodunit.log | whodunit explain
  whodunit explain --json whodunit.log | jq .log.causes

Of several hops, the one next to the origin comes first. The first that tells of an error saw it;
those after it are cleared. At most 16 MiB are read; many records are summed up by cause.
Exit codes: 0 all is well, 1 it tells of an error, 2 it cannot be understood, 70 internal error.")]
pub(super) struct Explain {
    /// What to explain, or a file that holds it; `-`, or nothing, for standard input
    #[arg(value_name = "TEXT|FILE|-")]
    what: Option<String>,
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn main(self) -> io::Result<End> {
        let what = self.what.as_deref().unwrap_or("-");
        let path = Path::new(what);
        let from_file = path.exists() && !path.is_dir();
        let read = match what {
            "-" => standard_input(),
            _ if from_file => File::open(path).and_then(bounded),
            text => Ok(text.to_owned()),
        };
        let text = match read {
            Ok(text) => text,
            Err(error) => {
                notice::say(&format!("`{what}` cannot be read: {error}"));
                return Ok(End::Misused);
            }
        };
        let Some(told) = explain(&text) else {
            let no_file = what != "-" && !from_file;
            let nor = if no_file { ", and no file has that name" } else { "" };
            notice::say(&format!(
                "nothing in it can be understood{nor}. Give it a Proxy-Status, what `curl -i` \
                 printed, or lines of whodunit's log; `whodunit explain --help` shows examples"
            ));
            return Ok(End::Misused);
        };
        put(&if self.json { told.json() } else { told.text() })?;
        Ok(if told.unwell() { End::Unwell } else { End::Fine })
    }
}

fn standard_input() -> io::Result<String> {
    let input = io::stdin().lock();
    if input.is_terminal() {
        notice::say("reading from the terminal: paste it, then press Ctrl-D");
    }
    bounded(input)
}

/// All that is there, up to [`MAX`]; what is not UTF-8 is replaced.
fn bounded(from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut from = from.take(MAX + 1);
    from.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX {
        notice::say("only the first 16 MiB are explained");
        bytes.truncate(usize::try_from(MAX).expect("it fits"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
