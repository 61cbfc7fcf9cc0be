//! The record of one request: what was done, when, and what was seen. It holds facts only, and
//! costs nothing to keep while all goes well: plain fields, no allocation.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::cause::Cause;
use super::cause::answer::ORIGIN_ERROR;
use super::evidence::{Evidence, Failure, Fault, Sent};
pub use super::hop::NextHop;
use super::id::RequestId;
use super::scene::Scene;

/// One request and its answer.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request's id, shared with the client and with other hops.
    pub id: RequestId,
    /// When the first byte of the request came, by the wall clock.
    pub began: SystemTime,
    /// The same by the clock that does not jump.
    pub started: Instant,
    /// What was asked for. Filled in only when there is something to tell.
    pub request: Option<Box<RequestFacts>>,
    /// Whether the request may be sent twice without harm by its method alone (RFC 9110 9.2.2).
    pub idempotent: bool,
    /// The route taken, by name.
    pub route: Option<Arc<str>>,
    /// The upstream chosen, by name.
    pub upstream: Option<Arc<str>>,
    /// Whether that upstream is a proxy whose word counts (`hop: true`).
    pub trusted_hop: bool,
    /// How long each phase took.
    pub times: Times,
    /// Bytes in each direction.
    pub bytes: Bytes,
    /// The status that was parsed from the origin's bytes; never one that this proxy made.
    pub upstream_status: Option<u16>,
    /// Whether the origin gave its final answer before it had been sent the whole request, unless the
    /// client had asked first whether its body is wanted (`Expect: 100-continue`): an answer then is
    /// what it asked for.
    pub early: bool,
    /// The status that the client was sent.
    pub answered: Option<u16>,
    /// Whether that answer was made here.
    pub generated: bool,
    /// `Proxy-Status` as it came from the origin's side, whole.
    pub received: Option<Box<str>>,
    /// What a proxy behind this one says of the failure, if its word counts ([`Key::InnerNode`],
    /// [`Key::InnerCause`] and what else it told). Filled in by whoever reads `received`.
    ///
    /// [`Key::InnerNode`]: super::key::Key::InnerNode
    /// [`Key::InnerCause`]: super::key::Key::InnerCause
    pub inner: Evidence,
    /// What other requests to the same endpoint met with lately, for an answer that is passed on;
    /// for a failure it stands among the failure's own evidence.
    pub beside: Evidence,
    attempts: Attempts,
    failure: Option<Box<Failure>>,
}

/// What was asked for. Everything a peer sent stands here as it came; renderers escape it.
#[derive(Clone, Debug, Default)]
pub struct RequestFacts {
    /// The address the request came in at.
    pub listener: String,
    /// The client's address.
    pub client: String,
    /// The client itself, seen through the proxies that are trusted, where that is somebody else.
    pub real_client: Option<IpAddr>,
    /// The subject of the certificate by which it proved who it is (RFC 4514).
    pub client_subject: Option<Box<str>>,
    /// The method.
    pub method: String,
    /// The authority asked for, as in `Host`.
    pub host: String,
    /// The path with its query.
    pub path: String,
    /// `HTTP/1.0`, `HTTP/1.1`, `HTTP/2`.
    pub protocol: &'static str,
    /// Stations in its trace that bear this node's name and a seal that does not hold.
    pub forged_hops: u32,
    /// The address of the proxy in front that told by the PROXY protocol whose connection it is.
    pub told_by: Option<Box<str>>,
}

/// How long each phase took; `None` for one that was never reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// From the first to the last byte of the request's header section.
    pub request: Option<Duration>,
    /// Waiting for a free place at the upstream.
    pub queue: Option<Duration>,
    /// Looking the origin's name up.
    pub dns: Option<Duration>,
    /// Connecting by TCP (or to the Unix socket).
    pub connect: Option<Duration>,
    /// The TLS handshake with the origin.
    pub tls: Option<Duration>,
    /// Writing the request to the origin.
    pub send: Option<Duration>,
    /// From the last byte of the request to the first of the answer.
    pub wait: Option<Duration>,
    /// From the first to the last byte of the answer.
    pub receive: Option<Duration>,
    /// All of it.
    pub total: Option<Duration>,
}

/// Bytes that crossed: on the client's side everything, on the origin's side the bodies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bytes {
    /// From the client.
    pub client_in: u64,
    /// To the origin.
    pub upstream_out: u64,
    /// From the origin.
    pub upstream_in: u64,
    /// To the client.
    pub client_out: u64,
}

/// One attempt to have the request answered by one endpoint.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The endpoint.
    pub next_hop: NextHop,
    /// When it began.
    pub started: Instant,
    /// How long it took in all, once it is over.
    pub took: Option<Duration>,
    /// How far the request got.
    pub sent: Sent,
    /// Whether the endpoint gave its word that it did not act on what it was sent: `REFUSED_STREAM`,
    /// or a `GOAWAY` that leaves the request out (RFC 9113 section 8.7).
    pub untouched: bool,
    /// The connection that carried it; `None` until there was one.
    pub connection: Option<Connection>,
    /// How it failed, if it did.
    pub failure: Option<Box<Failure>>,
}

/// The origin connection of an attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection {
    /// Whether it had carried requests before.
    pub reused: bool,
    /// How long ago it was established.
    pub age: Duration,
    /// How long it had been idle before this request.
    pub idle: Duration,
    /// Requests it has carried, this one included; 0 when not known.
    pub requests: u32,
}

/// The attempts in order; the first, and most often only one, needs no allocation.
#[derive(Clone, Debug, Default)]
struct Attempts {
    first: Option<Attempt>,
    more: Vec<Attempt>,
}

impl Attempt {
    /// An attempt that begins now.
    #[must_use]
    pub fn begin(next_hop: NextHop) -> Self {
        Self {
            next_hop,
            started: Instant::now(),
            took: None,
            sent: Sent::None,
            untouched: false,
            connection: None,
            failure: None,
        }
    }

    /// Whether making the attempt once more can do no harm, whatever the method: nothing of the
    /// request was written, or the endpoint did not act on it.
    #[must_use]
    pub fn harmless(&self) -> bool {
        self.untouched || self.sent == Sent::None
    }

    /// Notes the failure that ended this attempt; an earlier one stays.
    pub fn fail(&mut self, failure: Failure) {
        self.took.get_or_insert_with(|| self.started.elapsed());
        self.failure.get_or_insert_with(|| Box::new(failure));
    }
}

impl Exchange {
    /// An exchange that begins now.
    #[must_use]
    pub fn begin(id: RequestId) -> Self {
        Self {
            id,
            began: SystemTime::now(),
            started: Instant::now(),
            request: None,
            idempotent: false,
            route: None,
            upstream: None,
            trusted_hop: false,
            times: Times::default(),
            bytes: Bytes::default(),
            upstream_status: None,
            early: false,
            answered: None,
            generated: false,
            received: None,
            inner: Evidence::new(),
            beside: Evidence::new(),
            attempts: Attempts::default(),
            failure: None,
        }
    }

    /// Begins another attempt.
    pub fn attempt(&mut self, attempt: Attempt) {
        match self.attempts.first {
            None => self.attempts.first = Some(attempt),
            Some(_) => self.attempts.more.push(attempt),
        }
    }

    /// All attempts, in order.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.first.iter().chain(&self.attempts.more)
    }

    /// An attempt by its number, counted from 0, to be written to.
    pub fn attempt_mut(&mut self, number: usize) -> Option<&mut Attempt> {
        match number.checked_sub(1) {
            None => self.attempts.first.as_mut(),
            Some(after) => self.attempts.more.get_mut(after),
        }
    }

    /// How many attempts there were.
    #[must_use]
    pub fn attempts_made(&self) -> usize {
        usize::from(self.attempts.first.is_some()) + self.attempts.more.len()
    }

    /// The attempt under way, or the last one.
    #[must_use]
    pub fn last_attempt(&self) -> Option<&Attempt> {
        self.attempts.more.last().or(self.attempts.first.as_ref())
    }

    /// The same, to be written to.
    pub fn last_attempt_mut(&mut self) -> Option<&mut Attempt> {
        self.attempts.more.last_mut().or(self.attempts.first.as_mut())
    }

    /// Notes what ended the exchange outside any attempt. The first in time wins: a failure that
    /// comes after another one, or after the last attempt has failed, is its consequence.
    pub fn fail(&mut self, failure: Failure) {
        if self.failure.is_none() && !self.attempt_failed() {
            self.failure = Some(Box::new(failure));
        }
    }

    /// What ended the exchange outside any attempt.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_deref()
    }

    /// The same, to add evidence to.
    pub fn failure_mut(&mut self) -> Option<&mut Failure> {
        self.failure.as_deref_mut()
    }

    /// The failures of all attempts, to add evidence to.
    pub fn attempts_failed_mut(&mut self) -> impl Iterator<Item = &mut Failure> {
        let attempts = self.attempts.first.iter_mut().chain(&mut self.attempts.more);
        attempts.filter_map(|attempt| attempt.failure.as_deref_mut())
    }

    /// The verdict on what ended the exchange outside any attempt; `None` if nothing did.
    #[must_use]
    pub fn verdict_beyond(&self) -> Option<Cause> {
        let failure = Some(self.failure()?);
        Some(Scene { exchange: self, failure, attempt: self.last_attempt() }.verdict())
    }

    /// The verdict on one attempt by itself; `None` if it did not fail.
    #[must_use]
    pub fn verdict_on(&self, attempt: &Attempt) -> Option<Cause> {
        let failure = Some(attempt.failure.as_deref()?);
        Some(Scene { exchange: self, failure, attempt: Some(attempt) }.verdict())
    }

    /// The verdict on an answer of the origin's that tells of an error itself; `None` if it does
    /// not.
    #[must_use]
    pub fn verdict_on_answer(&self) -> Option<Cause> {
        self.upstream_status.filter(|status| *status >= 500)?;
        Some(Scene { exchange: self, failure: None, attempt: self.last_attempt() }.verdict())
    }

    /// Whether the attempt under way, or the last one, has failed. One whose answer was not taken
    /// has not: another attempt was to follow, and whatever kept it from being made is what failed.
    #[must_use]
    pub fn attempt_failed(&self) -> bool {
        self.last_attempt()
            .and_then(|attempt| attempt.failure.as_ref())
            .is_some_and(|failure| failure.fault != Fault::Denied(&ORIGIN_ERROR))
    }

    /// The status of the origin's own answer, if that tells of an error: a 5xx, and a 4xx that came
    /// early to a request that then was never sent whole. Every other 4xx is what the client asked
    /// for.
    #[must_use]
    pub fn told_of_an_error(&self) -> Option<u16> {
        let cut = || self.early && self.last_attempt().is_some_and(|a| a.sent == Sent::Partial);
        self.upstream_status.filter(|status| *status >= 500 || *status >= 400 && cut())
    }

    /// How far the request got in any attempt.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.attempts().map(|attempt| attempt.sent).max().unwrap_or(Sent::None)
    }

    /// Whether sending the request once more can do no harm: its method allows it, or no endpoint
    /// acted on it.
    #[must_use]
    pub fn harmless_to_repeat(&self) -> bool {
        self.idempotent || self.attempts().all(Attempt::harmless)
    }
}
