//! The origin's answer on its way to the client: what it is told about, and what of it changes.

use http::{StatusCode, Version, header as names};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use whodunit_filters::attribution::disclosure::On;
use whodunit_filters::attribution::{Diagnosis, header};

use crate::context::Case;
use crate::outcome::look;
use crate::{note, reply};

/// The origin's answer is about to be passed on.
pub(crate) fn passing_on(session: &mut Session, response: &mut ResponseHeader, case: &mut Case) {
    let status = response.status;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        interim(session, case);
        return;
    }
    if let Some(seconds) = case.keepalive.take() {
        session.set_keepalive(Some(seconds));
    }
    unchunk(session, response);
    // Each hop speaks for itself (RFC 9110 section 2.5).
    response.set_version(Version::HTTP_11);
    if case.shutdown.as_ref().is_some_and(|shutdown| *shutdown.borrow()) {
        // No request can follow on this connection, and the client has to know.
        session.set_keepalive(None);
    }
    let code = status.as_u16();
    case.exchange.answered = Some(code);
    case.handed_over = case.expected == Some(0) || bodiless(session, status);
    if let Some(client) = &case.client {
        client.net.settle();
        if let Some(date) = response.headers.get(names::DATE) {
            let _ = client.dated.set(date.clone());
        }
    } else {
        note::net(session).settle();
    }
    if !status.is_server_error() && case.settings.diagnosis.on == On::Errors {
        return;
    }
    look(session, case);
    // Whether an early 4xx cut the request short shows only at the end.
    let failed = status.is_server_error();
    if failed {
        case.call_witnesses_of_answer();
    }
    let verdict = failed.then(|| Diagnosis::of(&case.exchange)).flatten();
    let node = &case.settings.node;
    let ours = match &verdict {
        Some(verdict) => header::member(node, &case.exchange, verdict, code, case.disclosure),
        None => header::passing(node, &case.exchange, code, case.disclosure),
    };
    let received = case.exchange.received.clone();
    reply::attach(response, &header::append(received.as_deref(), &ours));
    case.verdict = verdict.map(Box::new);
}

/// An interim answer is about to go to the client. Pingora takes it for the end of what the client
/// may send, and lets no request follow if the body is not there yet; of the last answer only that
/// is true, and Pingora looks again when it goes out.
pub(crate) fn interim(session: &Session, case: &mut Case) {
    case.keepalive = case.keepalive.or_else(|| session.as_downstream().get_keepalive());
}

/// Whether an answer has no body whatever its fields say (RFC 9112 section 6.3).
fn bodiless(session: &Session, status: StatusCode) -> bool {
    session.req_header().method == http::Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// HTTP/1.0 knows no chunked coding: the end of the connection ends such a body (RFC 9112 6.1).
fn unchunk(session: &mut Session, response: &mut ResponseHeader) {
    if session.req_header().version == Version::HTTP_10
        && response.headers.contains_key(names::TRANSFER_ENCODING)
    {
        response.remove_header(&names::TRANSFER_ENCODING);
        session.set_keepalive(None);
    }
}
