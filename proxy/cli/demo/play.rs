//! Playing a scene: a request is sent, and what the proxy says of it is looked for.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;
use whodunit_filters::attribution::header;

use super::client::{Answer, ask};
use super::scene::{Manner, Scene};

/// What came of a scene.
pub(super) struct Outcome {
    pub(super) answer: Answer,
    /// What the proxy says.
    pub(super) said: Said,
}

/// Where the proxy said what it said.
pub(super) enum Said {
    /// Nothing: all is well.
    Nothing,
    /// In the answer: the value of `Proxy-Status`.
    Header(String),
    /// In its log only, since there was no header left to say it in.
    Log(String),
}

impl Outcome {
    /// The cause that was named: of several hops, by the first that tells of an error.
    pub(super) fn cause(&self) -> Option<String> {
        match &self.said {
            Said::Nothing => None,
            Said::Header(field) => {
                let members = header::read(field).ok()?.members;
                let observer = members.iter().find(|member| member.text("error").is_some());
                observer.or(members.last())?.text("cause").map(str::to_owned)
            }
            Said::Log(line) => {
                let record: Json = serde_json::from_str(line).ok()?;
                record["cause"].as_str().map(str::to_owned)
            }
        }
    }
}

/// How often a kept connection is waited for.
const TRIES: usize = 50;
/// What is closed sooner was not closed for being idle.
const REST: Duration = Duration::from_millis(1_100);

/// Plays it before the proxy at this address that has its log there.
pub(super) async fn play(
    scene: &'static Scene,
    proxy: SocketAddr,
    log: &Path,
) -> io::Result<Outcome> {
    let mut answer = ask(proxy, scene.request, scene.manner).await?;
    if matches!(scene.manner, Manner::Again | Manner::Rested) {
        // The first request on a connection is answered well; then the proxy keeps it.
        for _ in 0..TRIES {
            if answer.status() != 200 {
                break;
            }
            if scene.manner == Manner::Rested {
                tokio::time::sleep(REST).await;
            }
            answer = ask(proxy, scene.request, scene.manner).await?;
        }
    }
    let said = match answer.field("proxy-status") {
        Some(field) => Said::Header(field.to_owned()),
        None if scene.causes.is_empty() => Said::Nothing,
        None => Said::Log(record(log, scene).await?),
    };
    Ok(Outcome { answer, said })
}

/// The record of a scene's request, as soon as it is written.
async fn record(log: &Path, scene: &Scene) -> io::Result<String> {
    let method = scene.request.split(' ').next().unwrap_or_default();
    loop {
        let text = tokio::fs::read_to_string(log).await.unwrap_or_default();
        let found = text.lines().find(|line| {
            let record: Json = serde_json::from_str(line).unwrap_or_default();
            record["path"] == scene.path()
                && record["method"] == method
                && !record["cause"].is_null()
        });
        if let Some(line) = found {
            return Ok(line.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
