//! The request goes on to the origin.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header as names};
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::{Error, Result};
use whodunit_filters::chain::{Edit, Filter};

use super::{obey, of_service, refused_early};
use crate::connect::withdrawal;
use crate::context::Case;
use crate::note::deny;
use crate::observe::{self, Moment};
use crate::{edit, hop, outcome, view};

/// Takes off what belongs to the client's hop, where Pingora does not.
pub(crate) fn one_hop(request: &mut RequestHeader, case: &Case) -> Result<()> {
    if case.is_shared() { hop::strip(request).map_err(|failure| deny(*failure)) } else { Ok(()) }
}

/// The header section is about to go to the origin.
pub(crate) fn forwarding(
    session: &mut Session,
    request: &mut RequestHeader,
    case: &mut Case,
) -> Result<()> {
    single_length(request)?;
    if !case.settings.vouched.is_empty() {
        vouch(session, request, &case.settings.vouched);
    }
    let view = view::request(session, case);
    let chain = &case.settings.chain;
    match case.wire.as_ref().and_then(|wire| wire.postscript()) {
        Some(mut lines) => {
            lines.clear();
            let mut edit = edit::Lines { request, lines: &mut lines };
            chain.forward(&view, &case.route(), &mut edit);
        }
        None => chain.forward(&view, &case.route(), &mut edit::Request(request)),
    }
    if case.timeouts.response.value.is_some() && case.client.is_some() {
        outcome::foresee(session, case);
    }
    let expect = request.headers.get(names::EXPECT);
    case.invitation =
        expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    case.upgrade = request.headers.get(names::UPGRADE).cloned();
    case.sending();
    if case.is_shared() && session.as_downstream_mut().is_body_empty() {
        // Nobody asks for the body of such a request: its head is all of it.
        case.sent();
    }
    Ok(())
}

/// Says who the client has proved to be, and takes away what it says of that itself: spelt with `_`
/// in place of `-` as well, which many origins take for the same.
fn vouch(session: &Session, request: &mut RequestHeader, vouched: &[HeaderName]) {
    let same = |one: &HeaderName, other: &HeaderName| {
        let letters = |name: &HeaderName| name.as_str().replace('_', "-");
        letters(one) == letters(other)
    };
    let claims = |name: &&HeaderName| vouched.iter().any(|own| same(own, name));
    for name in request.headers.keys().filter(claims).cloned().collect::<Vec<_>>() {
        request.remove_header(&name);
    }
    if let Some(entrance) = view::entrance(session)
        && let (Some(subject), Some(forward)) = (&entrance.subject, &entrance.forward)
    {
        let value = HeaderValue::from_str(subject).expect("a subject is printable ASCII");
        edit::Request(request).set(forward.clone(), value);
    }
}

/// A length that is stated again and again, always the same, is passed on once (RFC 9110 section
/// 8.6).
fn single_length(request: &mut RequestHeader) -> Result<()> {
    let mut lines = request.headers.get_all(names::CONTENT_LENGTH).iter();
    let Some(first) = lines.next().map(http::HeaderValue::as_bytes) else { return Ok(()) };
    let number = first.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    if lines.next().is_some() || number.len() < first.len() {
        let number = number.to_vec();
        request.insert_header(names::CONTENT_LENGTH, number)?;
    }
    Ok(())
}

/// A piece of the request's body came from the client.
pub(crate) fn uploaded(case: &mut Case, body: Option<&Bytes>) -> Result<()> {
    let Some(piece) = body.filter(|piece| !piece.is_empty()) else { return Ok(()) };
    case.invitation = false;
    case.uploaded += piece.len() as u64;
    case.last_upload = Some(Instant::now());
    obey(case.settings.chain.request_body(case.uploaded, &case.route()))
}

/// It must not go on to the origin. Over HTTP/2 the request is broken off there as well, for nobody
/// is told of an error in the middle of a body.
pub(crate) fn withdrawn(
    case: &mut Case,
    body: &mut Option<Bytes>,
    refusal: Box<Error>,
) -> Result<()> {
    if !case.is_shared() {
        return Err(refusal);
    }
    if case.exchange.failure().is_none() {
        let failure = match of_service(&refusal) {
            Some((failure, status)) => {
                case.chosen = Some(status);
                failure
            }
            None => {
                observe::failure(&refusal, Moment::of(&case.exchange, false, case.request_sent))
            }
        };
        case.fail(failure);
    }
    *body = Some(withdrawal());
    Ok(())
}

/// It goes on to the origin.
pub(crate) fn uploading(case: &mut Case, body: &mut Option<Bytes>, end: bool) {
    // An empty last piece would be written as a second last chunk and desynchronise the origin's
    // connection (cloudflare/pingora#935).
    if end && body.as_ref().is_some_and(Bytes::is_empty) {
        *body = None;
    }
    // Over HTTP/2 nobody tells whether an origin that has refused a request takes the rest of it.
    let unwanted = case.is_shared() && refused_early(case);
    if end && !unwanted && case.exchange.failure().is_none() {
        case.sent();
    }
}
