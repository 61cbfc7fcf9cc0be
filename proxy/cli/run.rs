//! `whodunit run`: runs the proxy.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use whodunit_conf::{Checked, Flags, Problems};

use crate::notice;
use crate::server::{self, MISCONFIGURED, Source};

/// Run the proxy.
///
/// With --config it does what the file says. Without, it stands in one line before the upstreams
/// given: all requests go there, in turns.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  whodunit run --config /etc/whodunit.yaml
  whodunit run --upstream http://127.0.0.1:3000
  whodunit run --upstream http://10.0.0.5:80 --upstream http://10.0.0.6:80 --listen 0.0.0.0:8080

  whodunit run --config /etc/whodunit.yaml --takeover

Signals:
  SIGTERM, SIGINT  lets requests under way end, at most for `shutdown.grace`, and stops
  SIGQUIT, or either of them again: stops at once
  SIGHUP           reads the configuration again, and opens the log anew
  SIGUSR2          starts this program anew, in the place of the running one (`takeover.path`)
Exit codes: 0 stopped, 2 the configuration or a listener cannot be used, 70 internal error.", group = ArgGroup::new("source").args(["config", "upstream"]).multiple(true).required(true))]
pub(super) struct Run {
    /// The configuration file (YAML)
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["upstream", "listen", "admin"])]
    config: Option<PathBuf>,
    /// Where requests go: `http://host:port`, `https://host`, `host:port` or `unix:/path`; may be
    /// given several times
    #[arg(long, short, value_name = "URL")]
    upstream: Vec<String>,
    /// Where clients connect [default: 127.0.0.1:8080]
    #[arg(long, short, value_name = "ADDR")]
    listen: Option<String>,
    /// Where metrics, health and recent errors are served [default: 127.0.0.1:9901]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Take the place of the process that runs with the same `takeover.path`: it hands its sockets
    /// over and ends when its connections have, so that none is refused. If nobody is there, start
    /// as usual
    #[arg(long, requires = "config")]
    takeover: bool,
}

impl Run {
    pub(super) fn main(self) -> ExitCode {
        let takeover = self.takeover;
        let (checked, source) = match self.read() {
            Ok(read) => read,
            Err(problems) => {
                tell(&problems);
                return ExitCode::from(MISCONFIGURED);
            }
        };
        tell(&checked.warnings);
        match server::run(checked, &source, takeover) {
            Ok(code) => code,
            Err(refusal) => {
                refusal.0.lines().for_each(notice::say);
                ExitCode::from(MISCONFIGURED)
            }
        }
    }

    fn read(self) -> Result<(Checked, Source), Problems> {
        if let Some(path) = self.config {
            let (checked, text) = whodunit_conf::load(&path)?;
            return Ok((checked, Source::File(path, text)));
        }
        let flags = Flags { upstreams: self.upstream, listen: self.listen, admin: self.admin };
        Ok((flags.check()?, Source::Flags))
    }
}

fn tell(problems: &Problems) {
    use std::io::Write as _;
    if !problems.is_empty() {
        // A standard error that is closed is nobody's to tell.
        let _ = writeln!(std::io::stderr().lock(), "{}", problems.render(false).trim_end());
    }
}
