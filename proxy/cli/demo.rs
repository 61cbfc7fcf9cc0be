//! `whodunit demo`: one failure after another, and what the proxy says of each.

mod client;
mod play;
mod scene;
mod stage;
mod transcript;

use std::io;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::End;
use super::output::put;
use crate::notice;
use scene::SCENES;
use stage::Stage;

/// Watch the proxy name who broke each of its requests.
///
/// It starts an origin that fails on demand and a real proxy before it, sends requests that go
/// wrong in many ways, and prints of each: the request, the answer, the Proxy-Status field, and
/// what that means in plain words. All of it stays on this machine, on free ports.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  whodunit demo
  whodunit demo --stay                             # and then, elsewhere:
  curl -i http://127.0.0.1:8080/fault/origin-slow
  whodunit demo --stay --port 9090

It ends by itself within 30 s, unless it is to stay.
Exit codes: 0 all verdicts are as expected, 1 not, 2 the port cannot be used, 70 internal error.")]
pub(super) struct Demo {
    /// Keep running afterwards, with the addresses to try, until Ctrl-C
    #[arg(long)]
    stay: bool,
    /// The proxy's port [default: any free one; 8080 with --stay]
    #[arg(long, short, value_name = "PORT")]
    port: Option<u16>,
}

/// The longest that all scenes together may take.
const PATIENCE: Duration = Duration::from_secs(25);

impl Demo {
    pub(super) fn main(self) -> io::Result<End> {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.show())
    }

    async fn show(self) -> io::Result<End> {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            end = self.perform() => end,
            // The stage is dropped with the performance, and the proxy with the stage.
            _ = interrupted.recv() => Ok(End::Fine),
            _ = terminated.recv() => Ok(End::Fine),
        }
    }

    async fn perform(&self) -> io::Result<End> {
        let port = self.port.unwrap_or(if self.stay { 8080 } else { 0 });
        let stage = match Stage::set(port).await {
            Ok(stage) => stage,
            Err(why) => {
                notice::say(&why);
                // With any free port to choose from, it is not the user's mistake.
                return Ok(if port == 0 { End::Internal } else { End::Misused });
            }
        };
        put(&transcript::opening(&stage))?;
        let began = Instant::now();
        let mut unlike = Vec::new();
        let mut playing: Vec<_> = SCENES.iter().map(|scene| stage.begin(scene)).collect();
        for (n, scene) in SCENES.iter().enumerate() {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let result = tokio::time::timeout(left, &mut playing[n]).await;
            let outcome = match result {
                Ok(Ok(Ok(outcome))) => Ok(outcome),
                Ok(Ok(Err(error))) => Err(error.to_string()),
                Ok(Err(_)) => Err("the scene broke down".to_owned()),
                Err(_) => Err("it takes too long".to_owned()),
            };
            let told = transcript::scene(n + 1, scene, &outcome);
            put(&told.text)?;
            if !told.expected {
                unlike.push(scene.title);
            }
        }
        for task in playing {
            task.abort();
        }
        put(&transcript::closing(SCENES, &unlike, began.elapsed()))?;
        if self.stay {
            put(&transcript::addresses(&stage))?;
            let why = stage.proxy_ends().await?;
            notice::say(&format!("the proxy ended: {why}"));
            return Ok(End::Unwell);
        }
        stage.clear().await;
        Ok(if unlike.is_empty() { End::Fine } else { End::Unwell })
    }
}
