//! Our own service: it picks a route, an endpoint, and whether to try again. What it does not do
//! (answer, judge, record) `Attributed` does around it, as for anybody's service.

mod again;
mod choice;
mod trip;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use http::header::HOST;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::proxy::{ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, Result};
use whodunit_filters::attribution::cause::proxy::NO_ROUTE;
use whodunit_filters::attribution::{Failure, Key, Ledger, redact};
use whodunit_pingora::{
    Inquiry, Noted, connection_lost, deny, fell_silent, not_looked_at, not_reached,
};

pub use self::trip::Trip;
use crate::compress;
use crate::plan::{Destination, Plan};
use crate::upstream::check::{Checks, worth_a_look};
use crate::upstream::places::Kind;

/// The most of a host or path that becomes evidence.
const QUOTED: usize = 256;

/// The gateway.
pub struct Gateway {
    plan: Arc<ArcSwap<Plan>>,
    checks: Checks,
}

impl Gateway {
    /// A gateway that follows this plan, whichever is in force when a request begins, and notes in
    /// this ledger what it finds at endpoints that fail.
    #[must_use]
    pub fn new(plan: Arc<ArcSwap<Plan>>, ledger: Arc<Ledger>) -> Self {
        Self { plan, checks: Checks::new(ledger) }
    }

    fn route(&self, session: &Session) -> Result<Arc<Destination>> {
        let request = session.req_header();
        let host = request.headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
        let authority = request.uri.authority().map(http::uri::Authority::as_str);
        let host = host.as_deref().or(authority).unwrap_or_default();
        let path = request.uri.path();
        let plan = self.plan.load();
        let found = plan.routes.choose(host, path, &request.method, &request.headers);
        found.map_err(|rule| deny(rule.broken()))?.cloned().ok_or_else(|| {
            let failure = Failure::denied(&NO_ROUTE)
                .with(Key::Host, quoted(host))
                .with(Key::Path, quoted(&redact::bare(path)));
            let close = plan.routes.knows(host, path);
            let method = || quoted(request.method.as_str());
            deny(if close { failure.with(Key::Method, method()) } else { failure })
        })
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Trip;

    fn new_ctx(&self) -> Trip {
        Trip::default()
    }

    /// None: Pingora's default is one for compression, which takes part in every request to do
    /// nothing.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, trip: &mut Trip) -> Result<bool> {
        let destination = self.route(session)?;
        let note = session.note();
        note.route = Some(destination.route.clone());
        if !destination.pool.upstream.name.is_empty() {
            note.upstream = Some(destination.pool.upstream.name.clone());
            note.endpoints = Some(destination.pool.upstream.endpoints_in_use());
        }
        note.trusted_hop = destination.pool.upstream.hop;
        if destination.pool.upstream.eject.is_some() {
            note.audience = Some(destination.pool.clone());
        }
        note.limits = Some(destination.limits.clone());
        note.timeouts = Some(destination.timeouts.clone());
        note.rules.clone_from(&destination.rules);
        if let Some(treatment) = &destination.treatment {
            trip.closed = treatment.begin(session);
        }
        trip.destination = Some(destination);
        Ok(false)
    }

    /// Nothing refuses the client: it may hear that the route is out of service.
    async fn proxy_upstream_filter(&self, _: &mut Session, trip: &mut Trip) -> Result<bool> {
        trip.closed.take().map_or(Ok(true), |closed| Err(deny(*closed)))
    }

    async fn upstream_peer(&self, session: &mut Session, trip: &mut Trip) -> Result<Box<HttpPeer>> {
        choice::peer(session, trip).await
    }

    async fn connected_to_upstream(
        &self,
        session: &mut Session,
        _: bool,
        _: &HttpPeer,
        _: std::os::unix::io::RawFd,
        _: Option<&Digest>,
        trip: &mut Trip,
    ) -> Result<()> {
        if let (Some(destination), None) = (trip.destination.clone(), &trip.line)
            && !session.note().shared
        {
            let place = wait::place(session, trip, &destination.pool, Kind::Connection).await?;
            trip.line = Some(place);
        }
        if let Some(latch) = &trip.latch {
            latch.hold();
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        trip: &mut Trip,
    ) -> Result<()> {
        let Some((destination, treatment)) = trip.treatment() else { return Ok(()) };
        let upstream = &destination.pool.upstream;
        let endpoint = trip.picked.as_ref().and_then(|picked| {
            Some((&upstream.endpoints.get(picked.endpoint)?.0, upstream.line.tls.is_some()))
        });
        treatment.forward(session, request, endpoint)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        trip: &mut Trip,
    ) -> Result<()> {
        if let Some((_, treatment)) = trip.treatment() {
            treatment.answer(session, response);
        }
        if let Some(compression) = trip.destination.as_ref().and_then(|to| to.compression.as_ref())
        {
            let encoder = compress::sure(compress::begin(compression, session, response))?;
            trip.encoder = encoder.map(Box::new);
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        trip: &mut Trip,
    ) -> Result<Option<Duration>> {
        if let Some(encoder) = &mut trip.encoder {
            *body = compress::sure(encoder.encode(body.as_ref(), end))?;
        }
        Ok(None)
    }

    /// A compressed body ends here, and takes the place of the trailers (RFC 9110 section 6.5.1).
    async fn response_trailer_filter(
        &self,
        _: &mut Session,
        _: &mut HeaderMap,
        trip: &mut Trip,
    ) -> Result<Option<Bytes>> {
        let end = trip.encoder.as_mut().map(|encoder| encoder.encode(None, true)).transpose();
        Ok(compress::sure(end)?.flatten())
    }

    /// A name whose address cannot be reached is asked for anew. With no other endpoint left, another
    /// attempt waits for that, and is made if there is a new address.
    fn fail_to_connect(
        &self,
        session: &mut Session,
        _: &HttpPeer,
        trip: &mut Trip,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let mut again = trip.may_go_on(false);
        let note = session.note();
        trip.tell(note);
        if let (Some(destination), Some(picked)) = (&trip.destination, &trip.picked) {
            let name = &destination.pool.upstream.name;
            let place = format!("upstreams.{name}.endpoints[{}]", picked.endpoint);
            note.evidence.set(Key::Setting, place);
            if let Some(findings) =
                not_reached(&error).then(|| destination.pool.doubt(picked)).flatten()
            {
                note.inquiry = Some(Inquiry { findings, first: !again });
                again |= trip.attempts_left();
            }
        }
        trip.elsewhere = again;
        error.set_retry(again);
        error
    }

    /// A connection that was lost, or that takes no more requests, is made up for by another one, and
    /// an endpoint that fell silent by another endpoint; an origin that answers nonsense would do so
    /// again. Whether trying again can do harm `Attributed` decides; what may have made the origin
    /// work, and so adds to its load, has to be within the budget.
    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        trip: &mut Trip,
        reused: bool,
    ) -> Box<Error> {
        let harmless = not_looked_at(&error);
        let declined = std::mem::take(&mut trip.declined);
        let lost = harmless || connection_lost(&error);
        let stale = lost && (reused || harmless);
        let mut again = declined
            || (lost || fell_silent(&error)) && again::possible(session) && trip.may_go_on(stale);
        let idempotent = session.req_header().method.is_idempotent();
        trip.tell(session.note());
        if again && idempotent && !(declined || reused || harmless) {
            again = trip.within_budget(session.note());
        }
        trip.elsewhere = again && !stale && !declined;
        error.set_retry(again);
        error
    }

    /// An answer with one of these statuses is not taken if another endpoint may give a better one.
    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        trip: &mut Trip,
    ) -> Result<()> {
        let Some(destination) = &trip.destination else { return Ok(()) };
        let status = response.status.as_u16();
        if destination.pool.upstream.on.contains(&status)
            && session.req_header().method.is_idempotent()
            && again::possible(session)
            && trip.may_go_on(false)
            && trip.within_budget(session.note())
        {
            trip.declined = true;
            return Err(deny(again::declined(status)));
        }
        Ok(())
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, trip: &mut Trip) {
        if let (Some(cause), Some(destination)) = (session.note().verdict, &trip.destination)
            && let (Some(next_hop), Some(endpoint)) = (trip.tried.last(), trip.endpoints.last())
            && worth_a_look(cause)
            && self.plan.load().checks
        {
            self.checks.look(&destination.pool, *endpoint, next_hop, &destination.timeouts);
        }
    }
}

/// A piece of evidence that a client wrote: bounded.
fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}
