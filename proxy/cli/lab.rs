//! `whodunit lab`: a fault origin.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::End;
use super::output::put;
use crate::lab::{self, Needs};
use crate::notice;

/// Run an origin that fails on demand, over real sockets.
///
/// It listens on one port where the path chooses the failure (`/fault/NAME`), and on ports of their
/// own for those that no path can choose. `GET /` lists them all. Do not put it where others can
/// reach it: it sends broken answers to whoever asks.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  whodunit lab
  whodunit lab --listen 127.0.0.1:9000
  whodunit run --upstream http://127.0.0.1:9000      # elsewhere, to see it through the proxy,
  curl -i http://127.0.0.1:8080/fault/origin-reset   # and then ask for a failure

It runs until SIGINT (Ctrl-C) or SIGTERM.
Exit codes: 0 stopped, 2 the address cannot be used, 70 internal error.")]
pub(super) struct Lab {
    /// Where its main port is; port 0 takes any free one
    #[arg(long, short, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
}

impl Lab {
    pub(super) fn main(self) -> io::Result<End> {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.serve())
    }

    async fn serve(self) -> io::Result<End> {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let lab = match lab::start(self.listen).await {
            Ok(lab) => lab,
            Err(error) => {
                notice::say(&format!("the lab cannot listen on {}: {error}", self.listen));
                return Ok(End::Misused);
            }
        };
        put(&listing(&lab))?;
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        lab.shutdown().await;
        Ok(End::Fine)
    }
}

/// Every door of a lab.
fn listing(lab: &lab::Lab) -> String {
    let mut out = format!("lab on {}\n", lab.url("/"));
    if let Some(path) = lab.socket() {
        writeln!(out, "and on unix:{}", path.display()).expect("a String takes all");
    }
    out.push('\n');
    for fault in lab.faults() {
        let Some(place) = lab.place(fault.name) else { continue };
        let needs: Vec<String> = fault.needs.iter().map(Needs::to_string).collect();
        let needs = if needs.is_empty() {
            String::new()
        } else {
            format!("  (needs {})", needs.join(", "))
        };
        writeln!(out, "{:<32} {place}{needs}", fault.cause).expect("a String takes all");
    }
    out
}
