//! The exchange with the origin broke: whose doing that was, where Pingora's error tells it wrong.

use std::time::Duration;

use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use whodunit_filters::attribution::cause::client::CLIENT_REQUEST_MALFORMED;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};

use crate::arrival::Left;
use crate::context::Case;
use crate::observe::{self, Moment};

/// The exchange with the origin broke.
pub(crate) fn broke(session: &mut Session, case: &mut Case, error: &Error) {
    let untouched = observe::not_looked_at(error) && case.exchange.upstream_status.is_none();
    if let Some(attempt) = case.exchange.last_attempt_mut() {
        attempt.untouched = untouched;
    }
    if case.exchange.failure().is_some() {
        // It was given up here; what breaks then is a consequence.
        return;
    }
    let moment = Moment::of(&case.exchange, false, case.request_sent);
    let known = broken_upload(case).or_else(|| client_left(case, moment));
    let mut failure = known.unwrap_or_else(|| observe::failure(error, moment));
    if failure.side == Side::Origin
        && failure.fault == Fault::TimedOut
        && let Some(gone) = hung_up(session, case, moment)
    {
        failure = gone;
    }
    let read = *error.etype() == ErrorType::ReadTimedout && !case.request_sent;
    if failure.side == Side::Origin && read && case.invitation {
        // The client does what it should: the origin was to invite the body, or to answer.
        failure = Failure::new(Side::Origin, Phase::Wait, Fault::TimedOut);
    } else if failure.side == Side::Origin && read && client_stalled(session, case, &failure) {
        // The origin's timer fired because the client sent nothing that could have been passed on.
        let limit = &case.timeouts.read;
        failure = Failure::new(Side::Client, Phase::Request, Fault::TimedOut)
            .with(Key::Part, "body")
            .with(Key::LimitMs, limit.value.0)
            .with(Key::Setting, limit.place.clone());
    } else if failure.side == Side::Origin && failure.fault == Fault::TimedOut && read {
        case.limit(&mut failure, |timeouts| &timeouts.read);
    }
    let served = served(case, error) || refused_early(case);
    if tunnel_ended(case, error) || served && failure.side == Side::Client {
        return;
    }
    case.fail(failure);
}

/// Whether the whole answer had been handed over before the client's end of the connection was
/// seen: that it sends no more of its request is then its good right.
pub(crate) fn served(case: &Case, error: &Error) -> bool {
    tunnel_ended(case, error)
        || case.handed_over
            && !matches!(error.etype(), ErrorType::WriteError | ErrorType::WriteTimedout)
}

/// Whether the origin had refused the request before it was sent whole: that the client then leaves,
/// with its answer or in the middle of it, is a consequence.
pub(crate) fn refused_early(case: &Case) -> bool {
    case.exchange.early && case.exchange.told_of_an_error().is_some()
}

/// Whether a tunnel (after 101) came to an end that is nobody's failure: it was closed for its
/// silence, in which neither end owed the other anything; or its client left, in whatever way.
fn tunnel_ended(case: &Case, error: &Error) -> bool {
    let left = || case.client.as_ref().and_then(|client| client.left());
    case.exchange.answered == Some(101)
        && (*error.etype() == ErrorType::ReadTimedout
            || matches!(left(), Some((Left::Closed | Left::Reset, _))))
}

/// A chunked body of the client's that cannot be followed to its end.
fn broken_upload(case: &Case) -> Option<Failure> {
    let (rule, offset) = case.client.as_ref()?.broken()?;
    let failure = Failure::denied(&CLIENT_REQUEST_MALFORMED).with(Key::Part, "body");
    Some(failure.with(Key::Rule, rule.as_str()).with(Key::Offset, offset))
}

/// How the client left, if it did: the socket saw that before anything else could break.
pub(super) fn client_left(case: &Case, moment: Moment) -> Option<Failure> {
    let (left, after) = case.client.as_ref()?.left()?;
    let phase = moment.client_phase();
    Some(
        match left {
            Left::Closed => Failure::new(Side::Client, phase, Fault::Closed),
            Left::Reset => Failure::new(Side::Client, phase, Fault::Reset),
            Left::Stalled => {
                return Some(Failure::new(Side::Client, Phase::Respond, Fault::TimedOut));
            }
        }
        .with(Key::WaitedMs, after),
    )
}

/// Whether the client is gone although nobody saw it go: while the origin does not take more of an
/// upload, none of it is read, and the end of it is not seen either. The kernel knows.
fn hung_up(session: &Session, case: &Case, moment: Moment) -> Option<Failure> {
    if case.request_sent {
        return None;
    }
    let socket = session.as_downstream().digest()?.socket_digest.as_ref()?;
    let fault = match socket.tcp_info()?.tcpi_state {
        TCP_CLOSE_WAIT => Fault::Closed,
        TCP_CLOSE => Fault::Reset,
        _ => return None,
    };
    Some(Failure::new(Side::Client, moment.client_phase(), fault))
}

/// States of a connection in `tcpi_state` (`include/net/tcp_states.h`): the other end has closed it;
/// it is closed altogether.
const TCP_CLOSE: u8 = 7;
const TCP_CLOSE_WAIT: u8 = 8;

/// Whether it was the client's turn all the while that the origin's timer ran.
fn client_stalled(session: &mut Session, case: &Case, failure: &Failure) -> bool {
    if failure.fault != Fault::TimedOut || session.as_downstream_mut().is_body_done() {
        return false;
    }
    if case.unsent() > 0 {
        // The origin did not even take what the client had sent.
        return false;
    }
    let since_upload = || case.last_upload.or(case.send_began).map(|at| at.elapsed());
    let silent = match &case.client {
        Some(client) if client.awaited() => client.silent(),
        Some(_) => return false,
        None => since_upload().unwrap_or_default(),
    };
    // Pingora's timers are good to 10 ms.
    silent + Duration::from_millis(50) >= case.timeouts.read.value.0
}
