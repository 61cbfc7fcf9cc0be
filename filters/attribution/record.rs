//! The record of one request: one JSON object on one line. Everything in it is bounded, without
//! secrets, and escaped, so that no request can forge a line.

mod clean;

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::diagnosis::Diagnosis;
use super::evidence::{Certainty, Evidence, Party, Phase, Scope, Sent, Value};
use super::exchange::{Attempt, Exchange, RequestFacts};
use super::header::{self, Member};
use super::json;
use super::key::Key;
use super::redact::Redact;
use super::rfc9209::ErrorType;
use clean::{Clean, short};

pub use super::clock::timestamp;
pub use clean::MAX_TEXT;

/// How long most lines are at the most.
const LINE: usize = 2 * 1024;

/// One request, for the log, the recent errors and the store. The fields stand in the order in
/// which they are written.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the contract names and explains the fields of the log")]
pub struct Record {
    /// When the first byte of the request came: RFC 3339, UTC, milliseconds.
    pub ts: String,
    /// The same, to compare by.
    #[serde(skip)]
    pub at: SystemTime,
    pub id: String,
    pub node: String,
    pub listener: String,
    pub client: String,
    /// The proxy in front that told by the PROXY protocol that this is the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_by: Option<String>,
    /// The client itself, by the word of proxies in front that are trusted, where it is not `client`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub real_client: Option<String>,
    /// The subject of the certificate by which the client proved who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_subject: Option<String>,
    pub method: String,
    pub host: String,
    pub path: String,
    pub protocol: &'static str,
    /// The status that the client was sent, or what stands for it (499).
    pub status: u16,
    /// Only ever a number that was parsed from the origin's bytes.
    pub upstream_status: Option<u16>,
    pub generated: bool,
    /// From here to `remedy`: the verdict; `null` when nothing failed.
    pub cause: Option<&'static str>,
    pub party: Option<Party>,
    pub phase: Option<Phase>,
    pub certainty: Option<Certainty>,
    /// Whether the other requests of the last minutes failed as well.
    pub scope: Option<Scope>,
    /// The RFC 9209 error type; `null` for an answer that was passed on.
    pub error: Option<ErrorType>,
    pub sent: Sent,
    pub retryable: bool,
    pub says: Option<String>,
    pub remedy: Option<String>,
    pub route: Option<String>,
    pub upstream: Option<String>,
    pub next_hop: Option<String>,
    pub times_ms: Times,
    pub bytes: Bytes,
    pub connection: Option<Connection>,
    pub attempts: Vec<Try>,
    pub evidence: Evidence,
    /// The evidence that would have made the verdict sure.
    pub missing: Vec<Key>,
    /// What the hops behind this one said of themselves in `Proxy-Status`.
    pub hops: Vec<Member>,
    /// How many hops had to be left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub hops_dropped: usize,
    /// The received `Proxy-Status` when it did not parse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops_rejected: Option<String>,
    /// Stations in `CDN-Loop` that bear this node's name and a seal that does not hold.
    #[serde(skip_serializing_if = "is_zero")]
    pub forged_hops: u32,
    /// What another system behind this one gave away about the failure.
    pub inner: Option<serde_json::Value>,
}

/// How long each phase took, in milliseconds; `null` for one that was never reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "as in `exchange::Times`")]
pub struct Times {
    pub total: Option<f64>,
    pub request: Option<f64>,
    pub queue: Option<f64>,
    pub dns: Option<f64>,
    pub connect: Option<f64>,
    pub tls: Option<f64>,
    pub send: Option<f64>,
    pub wait: Option<f64>,
    pub receive: Option<f64>,
}

/// Bytes in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as in `exchange::Bytes`")]
pub struct Bytes {
    pub client_in: u64,
    pub upstream_out: u64,
    pub upstream_in: u64,
    pub client_out: u64,
}

/// The origin connection of the attempt that the verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "as in `exchange::Connection`")]
pub struct Connection {
    pub reused: bool,
    pub age_ms: f64,
    pub idle_ms: f64,
    pub requests: u32,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Try {
    /// The endpoint.
    pub next_hop: String,
    /// The verdict on this attempt by itself; `null` if it did not fail.
    pub cause: Option<&'static str>,
    /// The phase in which it failed.
    pub phase: Option<Phase>,
    /// How long it took, in milliseconds.
    pub ms: Option<f64>,
    /// How far the request got.
    pub sent: Sent,
}

impl Record {
    /// The record of a finished exchange. `status` is what the client was sent, or what stands
    /// for it when nothing could be sent.
    #[must_use]
    pub fn of(
        exchange: &Exchange,
        diagnosis: Option<&Diagnosis>,
        node: &str,
        status: u16,
        redact: &Redact,
    ) -> Self {
        let unknown = RequestFacts::default();
        let request = exchange.request.as_deref().unwrap_or(&unknown);
        let clean = Clean::new(request, redact);
        let attempt = match diagnosis {
            Some(diagnosis) => header::judged(exchange, diagnosis),
            None => exchange.last_attempt(),
        };
        let hops = header::read(exchange.received.as_deref().unwrap_or_default());
        let hops_rejected =
            hops.is_err().then(|| short(exchange.received.as_deref().unwrap_or_default()));
        let hops = hops.unwrap_or_default();
        Self {
            ts: timestamp(exchange.began),
            at: exchange.began,
            id: exchange.id.to_string(),
            node: short(node),
            listener: short(&request.listener),
            client: short(&request.client),
            told_by: request.told_by.as_deref().map(short),
            real_client: request.real_client.map(|ip| ip.to_string()),
            client_subject: request.client_subject.as_deref().map(short),
            method: short(&request.method),
            host: short(clean.host),
            path: short(&clean.path),
            protocol: request.protocol,
            status,
            upstream_status: exchange.upstream_status,
            generated: exchange.generated,
            cause: diagnosis.map(|d| d.cause.id),
            party: diagnosis.map(|d| d.party),
            phase: diagnosis.map(|d| d.phase),
            certainty: diagnosis.map(|d| d.certainty),
            scope: diagnosis.and_then(|d| d.scope),
            error: diagnosis.and_then(|d| d.cause.error),
            sent: exchange.sent(),
            retryable: diagnosis.is_some_and(|d| d.retryable),
            says: diagnosis.map(|d| clean.words(&d.says).into_owned()),
            remedy: diagnosis.map(|d| clean.words(&d.remedy).into_owned()),
            route: exchange.route.as_deref().map(short),
            upstream: exchange.upstream.as_deref().map(short),
            next_hop: attempt.map(|a| a.next_hop.text()),
            times_ms: Times::of(&exchange.times),
            bytes: Bytes::of(exchange.bytes),
            connection: attempt.and_then(|a| a.connection).map(Connection::of),
            attempts: exchange.attempts().map(|a| Try::of(exchange, a)).collect(),
            evidence: diagnosis.map(|d| clean.evidence(&d.evidence)).unwrap_or_default(),
            missing: diagnosis.map(|d| d.missing.clone()).unwrap_or_default(),
            hops: hops.members,
            hops_dropped: hops.dropped,
            hops_rejected,
            forged_hops: request.forged_hops,
            inner: None,
        }
    }

    /// The record as one line of JSON, with its line feed. Control characters, line separators
    /// and marks that turn the direction of text are escaped, so that no terminal or reader of
    /// lines can be deceived.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = json::compact(self, LINE);
        line.push('\n');
        line
    }

    /// Roughly how many bytes of memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let texts = [&self.host, &self.path, &self.method, &self.client, &self.listener];
        let evidence: usize = self.evidence.iter().map(|(_, value)| weight(value) + 48).sum();
        let hops: usize = self.hops.iter().map(|hop| 64 + 96 * hop.params.len()).sum();
        size_of::<Self>()
            + texts.iter().map(|text| text.len()).sum::<usize>()
            + [&self.client_subject, &self.says, &self.remedy, &self.hops_rejected]
                .iter()
                .map(|text| text.as_ref().map_or(0, String::len))
                .sum::<usize>()
            + self.attempts.len() * (size_of::<Try>() + 32)
            + evidence
            + hops
    }
}

impl Times {
    fn of(times: &super::exchange::Times) -> Self {
        Self {
            total: times.total.map(millis),
            request: times.request.map(millis),
            queue: times.queue.map(millis),
            dns: times.dns.map(millis),
            connect: times.connect.map(millis),
            tls: times.tls.map(millis),
            send: times.send.map(millis),
            wait: times.wait.map(millis),
            receive: times.receive.map(millis),
        }
    }
}

impl Bytes {
    const fn of(bytes: super::exchange::Bytes) -> Self {
        let super::exchange::Bytes { client_in, upstream_out, upstream_in, client_out } = bytes;
        Self { client_in, upstream_out, upstream_in, client_out }
    }
}

impl Connection {
    fn of(connection: super::exchange::Connection) -> Self {
        Self {
            reused: connection.reused,
            age_ms: millis(connection.age),
            idle_ms: millis(connection.idle),
            requests: connection.requests,
        }
    }
}

impl Try {
    fn of(exchange: &Exchange, attempt: &Attempt) -> Self {
        Self {
            next_hop: attempt.next_hop.text(),
            cause: exchange.verdict_on(attempt).map(|cause| cause.id),
            phase: attempt.failure.as_deref().map(|failure| failure.phase),
            ms: attempt.took.map(millis),
            sent: attempt.sent,
        }
    }
}

/// Milliseconds to the microsecond.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn weight(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.iter().map(|text| text.len() + 24).sum(),
        Value::Number(_) | Value::Flag(_) => 0,
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

#[cfg(test)]
mod tests;
