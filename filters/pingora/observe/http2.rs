//! What HTTP/2 says of a stream or a connection that ended.

use std::io;

use h2::Reason;
use pingora::{Error, ErrorType};
use whodunit_filters::attribution::Fault;

/// The type of an error that leaves the request out of what the origin acts on. The error itself
/// does not tell: it knows neither the stream nor the last one that the origin answers.
const LEFT_OUT: ErrorType = ErrorType::Custom("LeftOut");

/// Marks an error before any answer that left this stream out, `last` being the last one that the
/// origin answers, if it said so; `None` for a request that the connection did not take any more.
pub(crate) fn left_out(error: &mut Error, stream: Option<u32>, last: Option<u32>) {
    // What ends after a goodbye may be told of as an end alone.
    let ended =
        cause(error).is_some_and(|cause| cause.is_io() || cause.is_go_away() && cause.is_remote());
    if ended && stream.is_none_or(|stream| last.is_some_and(|last| stream > last)) {
        error.etype = LEFT_OUT;
    }
}

/// Whether an error says that the origin did not act on the request: it reset its stream with
/// `REFUSED_STREAM`, or left it out when it ended the connection (RFC 9113 section 8.7). The request
/// may be made once more then, whatever its method. Never so once an answer has begun.
#[must_use]
pub fn not_looked_at(error: &Error) -> bool {
    let refused = |cause: &h2::Error| {
        let reason = cause.reason();
        cause.is_reset() && cause.is_remote() && reason == Some(Reason::REFUSED_STREAM)
    };
    let waiting = *error.etype() == ErrorType::H2Error;
    *error.etype() == LEFT_OUT || waiting && cause(error).is_some_and(refused)
}

/// The fault, where the origin or its connection ended it. `None` for an error that is not of
/// HTTP/2, or where our own end found the origin's frames wrong.
pub(super) fn fault(error: &Error) -> Option<Fault> {
    of(cause(error)?)
}

/// The same of the library's own error.
pub(crate) fn of(cause: &h2::Error) -> Option<Fault> {
    if let Some(io) = cause.get_io() {
        let is = |kind| io.kind() == kind;
        return Some(if is(io::ErrorKind::ConnectionReset) {
            Fault::Reset
        } else if is(io::ErrorKind::TimedOut) {
            Fault::TimedOut
        } else {
            Fault::Closed
        });
    }
    let code = u32::from(cause.reason().filter(|_| cause.is_remote())?);
    if cause.is_reset() {
        return Some(Fault::StreamReset(code));
    }
    cause.is_go_away().then_some(Fault::GoAway(code))
}

/// The rule of HTTP/2 that the origin's frames break, where our own end found that.
pub(super) fn breach(error: &Error) -> Option<&'static str> {
    let cause = cause(error).filter(|cause| cause.is_library())?;
    Some(match cause.reason()? {
        Reason::FRAME_SIZE_ERROR => "a frame of HTTP/2 has a size that it must not have",
        Reason::FLOW_CONTROL_ERROR => "more bytes came over HTTP/2 than there was room for",
        _ => "a frame or message breaks the rules of HTTP/2",
    })
}

/// The error of the connection's below.
pub(super) fn io(error: &Error) -> Option<&io::Error> {
    cause(error)?.get_io()
}

/// Whether the other end left the connection, in good order or not.
pub(super) fn went_away(error: &Error) -> bool {
    cause(error).is_some_and(|cause| cause.is_go_away() && cause.is_remote())
}

/// Whether the other end reset the stream.
pub(super) fn reset(error: &Error) -> bool {
    cause(error).is_some_and(|cause| cause.is_reset() && cause.is_remote())
}

fn cause(error: &Error) -> Option<&h2::Error> {
    error.root_cause().downcast_ref()
}
