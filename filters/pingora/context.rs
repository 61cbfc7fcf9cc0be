//! What `Attributed` keeps for one request beside the service's own context.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pingora::protocols::l4::socket::SocketAddr;
use whodunit_filters::Set;
use whodunit_filters::attribution::disclosure::Disclosure;
use whodunit_filters::attribution::{
    Attempt, Diagnosis, Exchange, Failure, Fault, Key, Phase, RequestId, Sent, Side,
};
use whodunit_filters::chain::RouteView;
use whodunit_filters::limits::LimitsInForce;
use whodunit_filters::timeouts::TimeoutsInForce;
use whodunit_filters::units::Span;

use crate::arrival::ClientFacts;
use crate::reply::AskedFor;
use crate::settings::{Books, Settings};

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
    /// What the ingress knows of the client's connection; `None` where there is no ingress.
    pub(crate) client: Option<Arc<ClientFacts>>,
    /// The address that the request came in at.
    pub(crate) listener: Option<SocketAddr>,
    pub(crate) disclosure: Disclosure,
    /// What of the request shapes an answer that is made when the session is gone.
    pub(crate) asked: Option<Box<AskedFor>>,
    /// The status that the service itself chose for a refusal.
    pub(crate) chosen: Option<u16>,
    pub(crate) verdict: Option<Box<Diagnosis>>,
    /// The service was asked for an endpoint: from here on Pingora closes the client's connection
    /// after a failure.
    pub(crate) selecting: bool,
    /// The whole request was handed to the origin's connection.
    pub(crate) request_sent: bool,
    pub(crate) send_began: Option<Instant>,
    pub(crate) sent_at: Option<Instant>,
    pub(crate) answered_at: Option<Instant>,
    pub(crate) last_upload: Option<Instant>,
    pub(crate) uploaded: u64,
    pub(crate) downloaded: u64,
    /// Bytes that the response body is to have, if it says so.
    pub(crate) expected: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) fd: Option<i32>,
    /// Whether this request was counted and, if need be, recorded.
    pub(crate) closed: bool,
}

impl Case {
    pub(crate) fn new(settings: Arc<Settings>, books: Books) -> Self {
        Self {
            exchange: Exchange::begin(RequestId::new()),
            limits: settings.limits.clone(),
            timeouts: settings.timeouts.clone(),
            settings,
            books,
            client: None,
            listener: None,
            disclosure: Disclosure::Minimal,
            asked: None,
            chosen: None,
            verdict: None,
            selecting: false,
            request_sent: false,
            send_began: None,
            sent_at: None,
            answered_at: None,
            last_upload: None,
            uploaded: 0,
            downloaded: 0,
            expected: None,
            chunked: false,
            fd: None,
            closed: false,
        }
    }

    /// The request's first byte came at this moment.
    pub(crate) fn begun(&mut self, at: Instant) {
        self.exchange.started = at;
        let now = SystemTime::now();
        self.exchange.began = now.checked_sub(at.elapsed()).unwrap_or(now);
    }

    /// The route and the settings in force on it.
    pub(crate) fn route(&self) -> RouteView<'_> {
        RouteView {
            name: self.exchange.route.as_deref().unwrap_or_default(),
            limits: &self.limits,
            timeouts: &self.timeouts,
        }
    }

    /// Counts the request.
    pub(crate) fn count(&self, listener: &SocketAddr, status: u16) {
        let ledger = &self.books.ledger;
        let route = self.exchange.route.as_ref();
        let name = || self.settings.listeners.name(listener);
        match listener {
            SocketAddr::Inet(inet) => {
                self.books.counters.count(ledger, *inet, route, name, status);
            }
            SocketAddr::Unix(_) => {
                ledger.requests(&name(), route.map_or("", |route| &**route)).count(status);
            }
        }
    }

    /// Another attempt begins: nothing of it was sent, nothing came.
    pub(crate) fn begin_attempt(&mut self, attempt: Attempt) {
        self.exchange.attempt(attempt);
        self.exchange.upstream_status = None;
        self.request_sent = false;
        self.send_began = None;
        self.sent_at = None;
        self.answered_at = None;
        self.uploaded = 0;
        self.downloaded = 0;
        self.fd = None;
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
        let since = self.sent_at.or(self.send_began);
        self.exchange.times.wait = since.map(|since| now - since);
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
    }

    /// Adds to a failure what only the exchange knows: the limit that ran out, how much had come,
    /// what the neighbours did meanwhile.
    fn add_circumstances(&mut self, failure: &mut Failure) {
        match (failure.side, failure.phase, failure.fault) {
            (Side::Origin, Phase::Connect, Fault::TimedOut) => {
                self.limit(failure, |timeouts| &timeouts.connect);
                self.ask_the_neighbours(failure);
            }
            (Side::Origin, Phase::Tls, Fault::TimedOut) => self.limit(failure, |t| &t.tls),
            (Side::Origin, Phase::Send, Fault::TimedOut) => self.limit(failure, |t| &t.write),
            (Side::Origin, _, Fault::TimedOut | Fault::Stalled) => {
                self.limit(failure, |t| &t.read);
            }
            (Side::Client, Phase::Respond, Fault::TimedOut) => self.limit(failure, |t| &t.write),
            (Side::Client, _, Fault::TimedOut) => self.limit(failure, |t| &t.request_body),
            (Side::Client, _, Fault::Closed | Fault::Reset) => {
                failure.evidence.set_if_absent(Key::WaitedMs, self.exchange.started.elapsed());
                failure.evidence.set_if_absent(Key::During, failure.phase.as_str());
            }
            _ => {}
        }
        if failure.phase == Phase::Receive && failure.side == Side::Origin {
            failure.evidence.set_if_absent(Key::Received, self.downloaded);
            if let Some(expected) = self.expected {
                failure.evidence.set_if_absent(Key::Expected, expected);
                failure.evidence.set_if_absent(Key::Framing, "content-length");
            } else if self.chunked {
                failure.evidence.set_if_absent(Key::Framing, "chunked");
            }
        }
        if failure.phase == Phase::Wait && failure.fault == Fault::Closed {
            failure.evidence.set_if_absent(Key::WaitedMs, self.at_work());
        }
        if matches!(failure.phase, Phase::Request | Phase::Send) {
            let body = self.client.as_ref().map_or(self.uploaded, |client| client.body());
            failure.evidence.set_if_absent(Key::BytesSoFar, body);
        }
    }

    fn limit(&self, failure: &mut Failure, which: impl Fn(&TimeoutsInForce) -> &Set<Span>) {
        let limit = which(&self.timeouts);
        failure.evidence.set_if_absent(Key::LimitMs, limit.value.0);
        failure.evidence.set_if_absent(Key::Setting, limit.place.clone());
    }

    /// What other connections to the same endpoint met with while this one waited.
    fn ask_the_neighbours(&self, failure: &mut Failure) {
        let Some(attempt) = self.exchange.last_attempt() else { return };
        let neighbour = self.books.ledger.neighbour(&attempt.next_hop);
        let meanwhile = neighbour.accepted_since(attempt.started);
        if meanwhile > 0 {
            failure.evidence.set(Key::AcceptedMeanwhile, meanwhile);
        }
        if let Some(at) = neighbour.last_accepted() {
            failure.evidence.set(Key::LastSuccessMs, at.elapsed());
        }
    }
}
