//! What HTTP/2 says of a stream or a connection that ended.

use std::io;

use h2::Reason;
use pingora::Error;
use whodunit_filters::attribution::Fault;

/// The fault, where the origin or its connection ended it. `None` for an error that is not of
/// HTTP/2, or where our own end found the origin's frames wrong.
pub(super) fn fault(error: &Error) -> Option<Fault> {
    of(cause(error)?)
}

/// The same of the library's own error.
pub(crate) fn of(cause: &h2::Error) -> Option<Fault> {
    if let Some(io) = cause.get_io() {
        let reset = io.kind() == io::ErrorKind::ConnectionReset;
        return Some(if reset { Fault::Reset } else { Fault::Closed });
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

/// Whether the other end reset the stream.
pub(super) fn reset(error: &Error) -> bool {
    cause(error).is_some_and(|cause| cause.is_reset() && cause.is_remote())
}

fn cause(error: &Error) -> Option<&h2::Error> {
    error.root_cause().downcast_ref()
}
