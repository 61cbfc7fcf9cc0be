//! What `Attributed` keeps for one request beside the service's own context.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::HeaderValue;
use pingora::server::ShutdownWatch;
use whodunit_filters::attribution::disclosure::Disclosure;
use whodunit_filters::attribution::{
    Attempt, Diagnosis, Exchange, Failure, Key, RequestId, Sent, Side, header,
};
use whodunit_filters::chain::RouteView;
use whodunit_filters::limits::LimitsInForce;
use whodunit_filters::timeouts::TimeoutsInForce;

use crate::arrival::ClientFacts;
use crate::connect::Wire;
use crate::counters::Entry;
use crate::lane::Lane;
use crate::listeners::Where;
use crate::reply::AskedFor;
use crate::settings::{Books, Settings};
use crate::steps::Pending;

/// The context of a request: the record of it, and the wrapped service's own context.
pub struct Context<C> {
    pub(crate) case: Case,
    pub(crate) inner: C,
}

/// The record of a request and the settings that it follows.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each stands for one step that was or was not taken"
)]
pub(crate) struct Case {
    pub(crate) exchange: Exchange,
    pub(crate) settings: Arc<Settings>,
    pub(crate) books: Books,
    pub(crate) limits: Arc<LimitsInForce>,
    pub(crate) timeouts: Arc<TimeoutsInForce>,
    /// The service told which timeouts are in force.
    pub(crate) told_timeouts: bool,
    /// The service was told that the attempt's connection carries other requests as well.
    pub(crate) told_shared: bool,
    /// What the ingress knows of the client's connection; `None` where there is no ingress.
    pub(crate) client: Option<Arc<ClientFacts>>,
    /// Tells that the service shuts down.
    pub(crate) shutdown: Option<ShutdownWatch>,
    /// The client itself, seen through the proxies that are trusted.
    pub(crate) real_client: Option<IpAddr>,
    /// Where the request came in.
    pub(crate) listener: Option<Where>,
    pub(crate) disclosure: Disclosure,
    /// What of the request shapes an answer that is made when the session is gone.
    pub(crate) asked: Option<Box<AskedFor>>,
    /// The status that the service itself chose for a refusal.
    pub(crate) chosen: Option<u16>,
    pub(crate) verdict: Option<Box<Diagnosis>>,
    /// The attempt under way.
    pub(crate) lane: Option<Lane>,
    /// Which of its connection's uses the attempt is.
    pub(crate) use_of_wire: u32,
    /// How many endpoints the upstream has, if the service told.
    pub(crate) endpoints: Option<usize>,
    /// The failure was noted at the upstream as a whole.
    pub(crate) noted_upstream: bool,
    /// The age of the name server's answer that was used.
    pub(crate) answer_age: Option<Duration>,
    /// What is being found out about attempts that failed.
    pub(crate) inquiries: Vec<Pending>,
    /// The service was asked for an endpoint: from here on Pingora closes the client's connection
    /// after a failure.
    pub(crate) selecting: bool,
    /// The whole request was handed to the origin's connection.
    pub(crate) request_sent: bool,
    pub(crate) send_began: Option<Instant>,
    pub(crate) sent_at: Option<Instant>,
    pub(crate) answered_at: Option<Instant>,
    pub(crate) last_upload: Option<Instant>,
    /// The client waits to be told that its body is wanted (RFC 9110 section 10.1.1).
    pub(crate) invitation: bool,
    /// The protocols that the origin is asked to switch to one of (RFC 9110 section 7.8).
    pub(crate) upgrade: Option<HeaderValue>,
    /// The origin is spoken to by TLS.
    pub(crate) secured: bool,
    pub(crate) uploaded: u64,
    pub(crate) downloaded: u64,
    /// Bytes that the response body is to have, if it says so.
    pub(crate) expected: Option<u64>,
    pub(crate) chunked: bool,
    /// The whole answer was handed to the client's connection.
    pub(crate) handed_over: bool,
    pub(crate) fd: Option<i32>,
    /// What is known of the attempt's connection, if our own connector made it.
    pub(crate) wire: Option<Arc<Wire>>,
    /// Whether this request was counted and, if need be, recorded.
    pub(crate) closed: bool,
}

impl Case {
    pub(crate) fn new(settings: Arc<Settings>, books: Books) -> Self {
        Self {
            exchange: Exchange::begin(RequestId::new()),
            limits: settings.limits.clone(),
            timeouts: settings.timeouts.clone(),
            told_timeouts: false,
            told_shared: false,
            settings,
            books,
            client: None,
            shutdown: None,
            real_client: None,
            listener: None,
            disclosure: Disclosure::Minimal,
            asked: None,
            chosen: None,
            verdict: None,
            lane: None,
            use_of_wire: 0,
            endpoints: None,
            noted_upstream: false,
            answer_age: None,
            inquiries: Vec::new(),
            selecting: false,
            request_sent: false,
            send_began: None,
            sent_at: None,
            answered_at: None,
            last_upload: None,
            invitation: false,
            upgrade: None,
            secured: false,
            uploaded: 0,
            downloaded: 0,
            expected: None,
            chunked: false,
            handed_over: false,
            fd: None,
            wire: None,
            closed: false,
        }
    }

    /// The request's first byte came at this moment.
    pub(crate) fn begun(&mut self, at: Instant) {
        let exchange = &mut self.exchange;
        let earlier = exchange.started.saturating_duration_since(at);
        exchange.began = exchange.began.checked_sub(earlier).unwrap_or(exchange.began);
        exchange.started = at;
    }

    /// The route and the settings in force on it.
    pub(crate) fn route(&self) -> RouteView<'_> {
        RouteView {
            name: self.exchange.route.as_deref().unwrap_or_default(),
            limits: &self.limits,
            timeouts: &self.timeouts,
        }
    }

    /// Counts the request and how long its phases took.
    pub(crate) fn count(&self, listener: &Where, status: u16) {
        let ledger = &self.books.ledger;
        if let Some(upstream) = &self.exchange.upstream {
            let ended = self.ended();
            self.books.counters.timed(ledger, upstream, &self.exchange.times, ended);
        }
        let route = self.exchange.route.as_ref();
        let name = || listener.name(&self.settings.listeners);
        match Entry::of(listener) {
            Some(entry) => self.books.counters.count(ledger, entry, route, name, status),
            None => ledger.requests(&name(), route.map_or("", |route| &**route)).count(status),
        }
    }

    /// Another attempt begins: nothing of it was sent, nothing came.
    pub(crate) fn begin_attempt(&mut self, attempt: Attempt) {
        let upstream = self.exchange.upstream.as_ref();
        self.lane = Some(Lane::new(&self.books.ledger, &attempt.next_hop, upstream));
        self.exchange.attempt(attempt);
        self.compare_idle();
        self.exchange.upstream_status = None;
        self.exchange.early = false;
        self.request_sent = false;
        self.invitation = false;
        self.upgrade = None;
        self.secured = false;
        self.send_began = None;
        self.sent_at = None;
        self.answered_at = None;
        self.uploaded = 0;
        self.downloaded = 0;
        self.handed_over = false;
        self.fd = None;
        self.wire = None;
    }

    /// The header section is about to be written.
    pub(crate) fn sending(&mut self) {
        self.send_began = Some(Instant::now());
        if let Some(attempt) = self.exchange.last_attempt_mut() {
            attempt.sent = Sent::Partial;
        }
    }

    /// The last byte of the request was handed over.
    pub(crate) fn sent(&mut self) {
        if self.request_sent {
            return;
        }
        let now = Instant::now();
        self.request_sent = true;
        self.sent_at = Some(now);
        if let (Some(limit), Some(client)) = (self.timeouts.response.value, &self.client)
            && let Some(deadline) = now.checked_add(limit.0)
        {
            client.limit(deadline);
        }
        self.exchange.times.send = self.send_began.map(|began| now - began);
        if let Some(attempt) = self.exchange.last_attempt_mut() {
            attempt.sent = Sent::Full;
        }
    }

    /// The origin's final header section came.
    pub(crate) fn answered(&mut self, status: u16) {
        let now = Instant::now();
        self.answered_at = Some(now);
        self.exchange.upstream_status = Some(status);
        self.exchange.early = !self.request_sent && !self.invitation;
        if let Some(lane) = &self.lane {
            lane.answered(now, self.idle(), self.size());
        }
        let since = self.sent_at.or(self.send_began);
        self.exchange.times.wait = since.map(|since| now - since);
        if status >= 500 {
            self.settle_sent();
        }
    }

    /// Looks whether all that was sent has arrived.
    pub(crate) fn settle_sent(&mut self) {
        let Some(wire) = &self.wire else { return };
        if let Some(attempt) = self.exchange.last_attempt_mut()
            && attempt.sent == Sent::Full
            && wire.all_acknowledged()
        {
            attempt.sent = Sent::Acked;
        }
    }

    /// Whether the attempt runs over a connection that carried requests before.
    pub(crate) fn reused(&self) -> bool {
        let connection = self.exchange.last_attempt().and_then(|attempt| attempt.connection);
        connection.is_some_and(|connection| connection.reused)
    }

    /// Whether the attempt's connection may carry other requests at the same time.
    pub(crate) fn is_shared(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.http2.load(Ordering::Relaxed))
    }

    /// How long the attempt's connection had been idle before.
    pub(crate) fn idle(&self) -> Duration {
        let connection = self.exchange.last_attempt().and_then(|attempt| attempt.connection);
        connection.map_or(Duration::ZERO, |connection| connection.idle)
    }

    /// What a trusted hop says: the first of its members with an `error` names the failing link.
    pub(crate) fn believe(&mut self) {
        let Some(received) =
            self.exchange.received.as_deref().filter(|_| self.exchange.trusted_hop)
        else {
            return;
        };
        let Ok(received) = header::read(received) else { return };
        let Some(observer) = received.members.iter().find(|m| m.text("error").is_some()) else {
            return;
        };
        let cause = observer.text("cause").or_else(|| observer.text("error")).unwrap_or_default();
        self.exchange.inner.set(Key::InnerNode, observer.name.clone());
        self.exchange.inner.set(Key::InnerCause, cause.to_owned());
    }

    /// How long the origin has been at work on this request.
    pub(crate) fn at_work(&self) -> Duration {
        self.send_began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    /// Notes a failure where it belongs, with what is known of its circumstances.
    pub(crate) fn fail(&mut self, mut failure: Failure) {
        self.add_circumstances(&mut failure);
        if failure.side == Side::Origin
            && let Some(attempt) = self.exchange.last_attempt_mut()
        {
            attempt.fail(failure);
        } else {
            self.exchange.fail(failure);
        }
        self.call_witnesses();
    }
}
