//! `whodunit check`: tells everything that is wrong with a configuration.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use whodunit_conf::Problems;

use super::End;
use super::output::put;
use crate::plan::Plan;
use crate::secure;
use crate::upstream::own::Listeners;
use crate::upstream::places::Registry;

/// Check a configuration, and list all that is wrong with it.
///
/// Each problem comes with its place, the line in question and a suggestion. Files that the
/// configuration names are read as well; no socket is bound and no name is looked up.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  whodunit check --config /etc/whodunit.yaml
  whodunit check --config whodunit.yaml --json | jq .problems

Problems go to standard error; with --json they go to standard output as one object:
  { \"good\": false, \"file\": …, \"problems\": [ { \"severity\", \"setting\", \"message\", \"help\", \"file\",
    \"line\", \"column\", \"end_line\", \"end_column\" }, … ] }
Exit codes: 0 it can be used (there may be warnings), 2 it cannot, 70 internal error.")]
pub(super) struct Check {
    /// The configuration file (YAML)
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn main(self) -> io::Result<End> {
        let (problems, good) = match whodunit_conf::load(&self.config) {
            Ok((checked, _)) => {
                let plan = Plan::of(&checked, Listeners::default(), &Registry::default());
                let files = secure::check(&checked);
                let good = plan.is_ok() && files.is_ok();
                let problems = checked.warnings.and(files.unwrap_or_else(|problems| problems));
                match plan {
                    Ok(_) => (problems, good),
                    Err(more) => (problems.and(more), good),
                }
            }
            Err(problems) => (problems, false),
        };
        if self.json {
            let told =
                json!({ "good": good, "file": problems.file(), "problems": problems.json() });
            put(&format!("{told:#}\n"))?;
        } else {
            tell(&problems);
            if good {
                put(&format!("{} is good\n", self.config.display()))?;
            }
        }
        Ok(if good { End::Fine } else { End::Misused })
    }
}

fn tell(problems: &Problems) {
    let mut err = io::stderr().lock();
    let colour = err.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    if !problems.is_empty() {
        // A standard error that is closed is nobody's to tell.
        let _ = writeln!(err, "{}", problems.render(colour).trim_end());
    }
}
