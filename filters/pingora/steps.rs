//! What is noted at each step of a request, and the answer at its end.

mod broken;
mod chosen;
mod inquire;
mod invite;
mod mistaken;
mod sending;

use std::any::Any;
use std::os::unix::io::RawFd;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header as names;
use pingora::http::ResponseHeader;
use pingora::protocols::Digest;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::proxy::Session;
use pingora::upstreams::peer::{HttpPeer, Peer as _};
use pingora::{Error, ErrorType, Result};
use whodunit_filters::attribution::cause::proxy::DENIED_BY_POLICY;
use whodunit_filters::attribution::{Attempt, Connection, Failure, Key, NextHop, RequestId};
use whodunit_filters::chain::{Filter, ResponseView, Verdict};
use whodunit_filters::methods;

pub(crate) use self::broken::{broke, refused_early, served};
pub(crate) use self::inquire::{Pending, admitted, commented, inquired, noted};
pub(crate) use self::invite::invite;
pub(crate) use self::sending::{forwarding, one_hop, uploaded, uploading, withdrawn};
use crate::answer::Answer;
use crate::arrival::Arrival;
use crate::connections::Connections;
use crate::context::Case;
use crate::note::{self, Noted, deny};
use crate::observe::{self, Moment};
use crate::own::Own;
use crate::{http2, view};

/// The ingress hands over what it knows of the request's arrival; what the service persisted with
/// the connection is given back.
pub(crate) fn arrived(case: &mut Case, arrival: Arrival) -> Option<Box<dyn Any + Send + Sync>> {
    let began = arrival.began;
    case.begun(began);
    case.exchange.times.request = Some(arrival.headed - began);
    case.client = Some(arrival.client);
    case.shutdown = Some(arrival.shutdown);
    arrival.inner
}

/// The request's header section is there.
pub(crate) fn begin(session: &mut Session, case: &mut Case) -> Result<()> {
    let handed = http2::handed(session.req_header_mut());
    let refusal = handed.and_then(|(arrival, refusal)| {
        arrived(case, arrival);
        refusal
    });
    let request = session.req_header();
    let given = request.headers.get("x-request-id").map(http::HeaderValue::as_bytes);
    if let Some(id) = given.and_then(RequestId::parse) {
        case.exchange.id = id;
    }
    case.exchange.idempotent = request.method.is_idempotent();
    let presented = request.headers.get("whodunit-debug").map(http::HeaderValue::as_bytes);
    case.listener = view::entered(session);
    let settings = case.settings.clone();
    case.real_client = view::client(session, case);
    case.disclosure = settings.diagnosis.disclose(case.real_client, presented);
    let own = Own { settings, id: case.exchange.id, disclosure: case.disclosure };
    note::spread(session, case.client.clone(), case.real_client, own);
    let timeouts = case.timeouts.clone();
    if timeouts.keepalive.value.0.is_zero() {
        session.set_keepalive(None);
    }
    session.set_read_timeout(Some(timeouts.request_body.value.0));
    session.set_write_timeout(Some(timeouts.write.value.0));
    refusal.map_or(Ok(()), |refusal| Err(deny(refusal)))
}

/// The answer to a request that came in at a listener which serves none.
pub(crate) fn sent_elsewhere(session: &Session) -> Result<Option<Answer>> {
    let redirect = view::entrance(session).and_then(|entrance| entrance.redirect.as_deref());
    redirect.map_or(Ok(None), |redirect| redirect.answer(session).map_err(deny))
}

/// The route is known: the chain judges the request.
pub(crate) fn judge_request(session: &mut Session, case: &mut Case) -> Result<()> {
    read_note(session, case);
    session.set_read_timeout(Some(case.timeouts.request_body.value.0));
    let view = view::request(session, case);
    let verdict = case.settings.chain.request(&view, &case.route());
    obey(verdict)
}

/// The service refuses the request: what it noted until then holds.
pub(crate) fn refused(session: &mut Session, case: &mut Case) {
    read_note(session, case);
}

/// Whether the request is a question about this very node (RFC 9110 section 7.6.2).
pub(crate) fn ends_here(session: &Session, case: &Case) -> bool {
    methods::max_forwards(&view::request(session, case)) == Some(0)
}

/// What a filter decides, as Pingora understands it.
fn obey(verdict: Verdict) -> Result<()> {
    verdict.denied().map_or(Ok(()), |failure| Err(deny(*failure)))
}

/// The service declined to go upstream and wrote no answer.
pub(crate) fn refused_by_service() -> Box<Error> {
    deny(Failure::denied(&DENIED_BY_POLICY).with(Key::Rule, "the service declined the request"))
}

/// An endpoint is about to be chosen.
pub(crate) fn selecting(case: &mut Case) {
    case.selecting = true;
}

/// An endpoint was chosen, or none could be.
pub(crate) fn selected(
    session: &mut Session,
    case: &mut Case,
    chosen: Result<Box<HttpPeer>>,
) -> Result<Box<HttpPeer>> {
    read_note(session, case);
    let mut peer = match chosen {
        Ok(peer) => peer,
        Err(error) => {
            noted(session, case);
            if let Some(next_hop) = observe::denial(&error).and_then(|d| d.next_hop.clone()) {
                case.begin_attempt(Attempt::begin(next_hop));
            } else if observe::denial(&error).is_none()
                && let Some(gone) =
                    broken::client_left(case, Moment::of(&case.exchange, false, false))
            {
                // It did not wait until one was.
                case.fail(gone);
            }
            return Err(error);
        }
    };
    let options = &mut peer.options;
    let timeouts = &case.timeouts;
    options.connection_timeout.get_or_insert(timeouts.connect.value.0);
    options.read_timeout.get_or_insert(timeouts.read.value.0);
    options.write_timeout.get_or_insert(timeouts.write.value.0);
    options.idle_timeout.get_or_insert(timeouts.idle.value.0);
    if !case.told_timeouts {
        case.timeouts = chosen::timeouts(&case.timeouts, &peer);
    }
    case.begin_attempt(Attempt::begin(next_hop(peer.address())));
    Ok(peer)
}

fn next_hop(address: &SocketAddr) -> NextHop {
    match address {
        SocketAddr::Inet(inet) => NextHop::Inet(*inet),
        SocketAddr::Unix(unix) => {
            let path = unix.as_pathname().map(|path| path.to_string_lossy().into_owned());
            NextHop::Unix(path.unwrap_or_default().into())
        }
    }
}

/// No connection could be made.
pub(crate) fn not_connected(case: &mut Case, error: &Error) {
    if let Some(wire) = observe::denial(error).and_then(|denial| denial.wire.clone()) {
        case.exchange.times.connect = Some(wire.took);
        case.wire = Some(wire);
    }
    let moment = Moment::of(&case.exchange, true, false);
    if let Some(gone) = broken::client_left(case, moment) {
        // It left before there was an outcome.
        return case.fail(gone);
    }
    case.fail(observe::failure(error, moment));
}

/// There is a connection.
pub(crate) fn connected(
    case: &mut Case,
    connections: &Connections,
    reused: bool,
    fd: RawFd,
    digest: Option<&Digest>,
) {
    let now = Instant::now();
    case.fd = Some(fd);
    case.secured = digest.is_some_and(|digest| digest.ssl_digest.is_some());
    let mut timing = digest.into_iter().flat_map(|digest| digest.timing_digest.iter()).flatten();
    let (tcp, tls) = (timing.next(), timing.next());
    if !reused {
        let times = &mut case.exchange.times;
        let took = case.wire.as_ref().map(|wire| wire.took);
        times.connect = took.or_else(|| tcp.and_then(|tcp| tcp.establishment_duration));
        times.tls = tls.and_then(|tls| tls.establishment_duration);
    }
    let age = match (&case.wire, tcp) {
        (Some(wire), _) => now.saturating_duration_since(wire.born),
        (None, Some(tcp)) => tcp.established_ts.elapsed().unwrap_or(Duration::ZERO),
        (None, None) => Duration::ZERO,
    };
    let mut used = None;
    if let Some(lane) = &mut case.lane {
        lane.connected(reused);
        used = case.wire.as_ref().map(|wire| wire.rest.taken(lane.neighbour(), now));
    }
    case.use_of_wire = used.map_or(0, |(this, _)| this);
    // What carries several requests at a time never rests as a whole.
    let (requests, idle) = used.filter(|_| !case.is_shared()).unwrap_or_else(|| {
        let (idle, requests) = connections.take(fd, reused);
        (requests, idle)
    });
    if let Some(attempt) = case.exchange.last_attempt_mut() {
        attempt.connection = Some(Connection { reused, age, idle, requests });
    }
}

/// The origin's header section came, an interim one (1xx) or the final one.
pub(crate) fn answered(
    session: &Session,
    response: &mut ResponseHeader,
    case: &mut Case,
) -> Result<()> {
    let status = response.status;
    if status.is_informational() && status != http::StatusCode::SWITCHING_PROTOCOLS {
        case.invitation &= status != http::StatusCode::CONTINUE;
        return Ok(());
    }
    case.answered(status.as_u16());
    let headers = &response.headers;
    let length = headers.get(names::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    case.expected = length.and_then(|length| length.parse().ok());
    case.chunked = headers
        .get(names::TRANSFER_ENCODING)
        .is_some_and(|coding| coding.as_bytes().to_ascii_lowercase().ends_with(b"chunked"));
    if status.is_server_error() {
        case.exchange.received = view::joined(headers, &crate::reply::PROXY_STATUS);
        case.believe();
    }
    if status == http::StatusCode::SWITCHING_PROTOCOLS {
        mistaken::switched(case, headers)?;
    }
    let request = session.req_header();
    let view = ResponseView { status, headers, method: &request.method };
    obey(case.settings.chain.response(&view, &case.route()))
}

/// A piece of the origin's body came.
pub(crate) fn downloaded(session: &Session, case: &mut Case, body: Option<&Bytes>) -> Result<()> {
    let Some(piece) = body else { return Ok(()) };
    let before = case.downloaded;
    case.downloaded += piece.len() as u64;
    if before < mistaken::PAGE && case.exchange.upstream_status == Some(400) {
        mistaken::wants_tls(session, case, piece)?;
    }
    // Nobody else wants to know.
    let limited = case.sent_at.filter(|_| case.timeouts.response.value.is_some());
    let since = limited.map_or(Duration::ZERO, |sent| sent.elapsed());
    obey(case.settings.chain.response_body(case.downloaded, since, &case.route()))
}

/// A retry that could do harm is not made, whatever the service decided.
pub(crate) fn veto_harm(case: &Case, error: &mut Error) {
    let harmless =
        case.exchange.idempotent || case.exchange.last_attempt().is_none_or(Attempt::harmless);
    // What ended the request as a whole ends every other attempt as well.
    let over = case.exchange.failure().is_some();
    if error.retry() && (over || !harmless) {
        error.set_retry(false);
    }
}

/// Takes over what the service noted.
fn read_note(session: &mut Session, case: &mut Case) {
    let note = session.note();
    if let Some(route) = note.route.take() {
        case.exchange.route = Some(route);
    }
    if let Some(upstream) = note.upstream.take() {
        case.exchange.upstream = Some(upstream);
    }
    if let Some(endpoints) = note.endpoints.take() {
        case.endpoints = Some(endpoints);
    }
    case.exchange.trusted_hop = note.trusted_hop;
    if let Some(limits) = note.limits.take() {
        case.limits = limits;
    }
    if let Some(timeouts) = note.timeouts.take() {
        case.timeouts = timeouts;
        case.told_timeouts = true;
    }
    if let Some(audience) = note.audience.take() {
        case.audience = Some(audience);
    }
    if let Some(rules) = note.rules.take() {
        case.rules = Some(rules);
    }
    if let Some(dns) = note.dns.take() {
        case.exchange.times.dns = Some(dns);
    }
    if let Some(queue) = note.queue.take() {
        case.exchange.times.queue = Some(queue);
    }
    case.answer_age = note.answer_age.take();
}

/// The failure that an error of the service's own tells of, and the status it asks for.
pub(crate) fn of_service(error: &Error) -> Option<(Failure, u16)> {
    match error.etype() {
        ErrorType::HTTPStatus(status) | ErrorType::CustomCode(_, status) => {
            let failure =
                Failure::denied(&DENIED_BY_POLICY).with(Key::Rule, "the service's own decision");
            Some((failure, *status))
        }
        _ => None,
    }
}
