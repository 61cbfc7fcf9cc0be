//! The load: wrk for HTTP/1.1, h2load for HTTP/2.

use std::process::Command;

use crate::peers::found;
use crate::process::{self, pinned};

/// Where the load goes.
pub(crate) struct Place {
    pub(crate) scheme: &'static str,
    /// `ip:port`.
    pub(crate) address: String,
    pub(crate) path: &'static str,
    pub(crate) host: String,
}

/// What kind of load.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    /// So many connections, one request after another on each.
    Kept(u32),
    /// A new connection for each request.
    Fresh(u32),
    /// HTTP/2: connections, and requests at a time on each.
    Http2(u32, u32),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    /// Answers with a status other than 2xx and 3xx.
    pub(crate) refused: u64,
    /// Connections that failed, broke or stalled.
    pub(crate) broken: u64,
    pub(crate) per_second: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Load {
    /// The program that it takes, if that is not there.
    pub(crate) fn missing(self) -> Option<&'static str> {
        let tool = match self {
            Self::Kept(_) | Self::Fresh(_) => "wrk",
            Self::Http2(..) => "h2load",
        };
        found(tool).is_none().then_some(tool)
    }

    pub(crate) fn run(self, place: &Place, seconds: u32) -> Result<Outcome, String> {
        let url = format!("{}://{}{}", place.scheme, place.address, place.path);
        match self {
            Self::Kept(connections) | Self::Fresh(connections) => {
                let mut wrk = pinned(process::LOAD, "wrk");
                wrk.args(["-t1", "--latency", "-c", &connections.to_string()]);
                let host = format!("Host: {}", place.host);
                wrk.args(["-d", &format!("{seconds}s"), "-H", &host]);
                if matches!(self, Self::Fresh(_)) {
                    wrk.args(["-H", "Connection: close"]);
                }
                of_wrk(&said(wrk.arg(url))?)
            }
            Self::Http2(connections, streams) => {
                let log = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
                let mut h2load = pinned(process::LOAD, "h2load");
                h2load.args(["-c", &connections.to_string(), "-m", &streams.to_string()]);
                let host = format!(":authority: {}", place.host);
                h2load.args(["-D", &seconds.to_string(), "-p", "h2c", "-H", &host]);
                h2load.arg("--log-file").arg(log.path()).arg(url);
                let text = said(&mut h2load)?;
                let log = std::fs::read_to_string(log.path()).map_err(|error| error.to_string())?;
                of_h2load(&text, &log)
            }
        }
    }
}

fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("no load can be made: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(said) } else { Err(format!("{command:?}: {said}{complaint}")) }
}

fn of_wrk(text: &str) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    for line in text.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["50%", time] => outcome.p50 = microseconds(time),
            ["99%", time] => outcome.p99 = microseconds(time),
            [count, "requests", "in", ..] => outcome.requests = count.parse().unwrap_or(0),
            ["Requests/sec:", rate] => outcome.per_second = rate.parse().unwrap_or(0.0),
            ["Non-2xx", .., count] => outcome.refused = count.parse().unwrap_or(0),
            ["Socket", "errors:", counts @ ..] => {
                let counts =
                    counts.iter().filter_map(|word| word.trim_end_matches(',').parse::<u64>().ok());
                outcome.broken = counts.sum();
            }
            _ => {}
        }
    }
    whole(outcome, text)
}

/// What says nothing of the times was not understood.
fn whole(outcome: Outcome, text: &str) -> Result<Outcome, String> {
    let whole = outcome.requests > 0 && outcome.p50 > 0.0 && outcome.p99 > 0.0;
    if whole { Ok(outcome) } else { Err(format!("no request was answered: {text}")) }
}

/// A time as wrk writes it.
fn microseconds(text: &str) -> f64 {
    let end = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let number: f64 = text[..end].parse().unwrap_or(0.0);
    match &text[end..] {
        "us" => number,
        "ms" => number * 1e3,
        "s" => number * 1e6,
        _ => number * 60e6,
    }
}

/// The percentiles are in the log alone: start, status and duration of each request, times in
/// microseconds.
fn of_h2load(text: &str, log: &str) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("finished in ") {
            let rate = rest.split(", ").nth(1).and_then(|rate| rate.strip_suffix(" req/s"));
            outcome.per_second = rate.and_then(|rate| rate.parse().ok()).unwrap_or(0.0);
        }
        if let Some(rest) = line.strip_prefix("requests: ") {
            let count = |what: &str| -> u64 {
                let part = rest.split(", ").find_map(|part| part.strip_suffix(what));
                part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
            };
            outcome.requests = count(" done");
            outcome.broken = count(" errored") + count(" timeout");
        }
    }
    let mut times = Vec::new();
    for line in log.lines() {
        let mut fields = line.split_whitespace();
        let (Some(_), Some(status), Some(time)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        outcome.refused += u64::from(!status.starts_with(['2', '3']));
        times.push(time.parse::<f64>().unwrap_or(0.0));
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(0.0);
    (outcome.p50, outcome.p99) = (at(50), at(99));
    whole(outcome, text)
}
