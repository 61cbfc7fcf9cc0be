//! The only reader of Pingora's errors: from their type, source, cause and text to a fact.
//!
//! Pingora names some failures only in the text of an error. Each text that is relied on is read
//! here and nowhere else, and pinned by a test, so that an upgrade that rewords it fails the build.
#![deny(clippy::wildcard_enum_match_arm)]

mod header;
mod http2;
mod system;

use std::io;

use pingora::{Error, ErrorSource, ErrorType};
use whodunit_filters::attribution::{Exchange, Failure, Fault, Key, Phase, Side};

use self::header::received;
pub use self::http2::not_looked_at;
pub(crate) use self::http2::{left_out, of as http2_fault};
pub(crate) use self::system::refused;
use self::system::{errno, io_error};
use crate::connect::tls_refused;
use crate::note::Denial;
use crate::tls;

/// What is known of the exchange at the moment of the error.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each stands for one step that was or was not taken"
)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Whether the error came from connecting.
    pub(crate) connecting: bool,
    /// Whether the whole request had been handed to the origin's connection.
    pub(crate) request_sent: bool,
    /// Whether the origin's final response header had come.
    pub(crate) answered: bool,
    /// Whether a final response header had been sent to the client.
    pub(crate) responding: bool,
}

impl Moment {
    pub(crate) fn of(exchange: &Exchange, connecting: bool, request_sent: bool) -> Self {
        Self {
            connecting,
            request_sent,
            answered: exchange.upstream_status.is_some(),
            responding: exchange.answered.is_some(),
        }
    }

    /// The phase that the origin's side was in.
    pub(crate) const fn phase(self) -> Phase {
        match self {
            Self { connecting: true, .. } => Phase::Connect,
            Self { answered: true, .. } => Phase::Receive,
            Self { request_sent: true, .. } => Phase::Wait,
            Self { .. } => Phase::Send,
        }
    }

    /// The phase that the client's side was in.
    pub(crate) const fn client_phase(self) -> Phase {
        match self {
            Self { responding: true, .. } => Phase::Respond,
            Self { answered: true, .. } => Phase::Receive,
            Self { connecting: false, request_sent: true, .. } => Phase::Wait,
            Self { .. } => Phase::Request,
        }
    }
}

/// The denial inside an error, if a service or filter of ours made it.
pub(crate) fn denial(error: &Error) -> Option<&Denial> {
    let mut next: Option<&(dyn std::error::Error + 'static)> =
        error.cause.as_deref().map(|cause| cause as _);
    for _ in 0..8 {
        let cause = next?;
        if let Some(denial) = cause.downcast_ref::<Denial>() {
            return Some(denial);
        }
        next = match cause.downcast_ref::<Box<Error>>() {
            Some(inner) => inner.cause.as_deref().map(|cause| cause as _),
            None => cause.source(),
        };
    }
    None
}

/// Whether an error says that the origin's connection was lost: what another connection may make
/// up for.
#[must_use]
pub fn connection_lost(error: &Error) -> bool {
    let lost = matches!(
        error.etype(),
        ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError
    );
    (lost || http2::went_away(error)) && *error.esource() == ErrorSource::Upstream
}

/// Whether an error says that the origin did nothing for too long, with the connection intact: what
/// another endpoint may make up for, but hardly the same one.
#[must_use]
pub fn fell_silent(error: &Error) -> bool {
    matches!(error.etype(), ErrorType::ReadTimedout | ErrorType::WriteTimedout)
        && *error.esource() == ErrorSource::Upstream
}

/// Whether an error says that nobody was reached at the address: what another address may make up
/// for.
#[must_use]
pub fn not_reached(error: &Error) -> bool {
    let connecting =
        Moment { connecting: true, request_sent: false, answered: false, responding: false };
    let failure = failure(error, connecting);
    let (side, phase) = (failure.side, failure.phase);
    (side, phase) == (Side::Origin, Phase::Connect)
        && matches!(
            failure.fault,
            Fault::Refused | Fault::Reset | Fault::Unroutable | Fault::TimedOut
        )
}

/// What an error says was seen to break.
pub(crate) fn failure(error: &Error, moment: Moment) -> Failure {
    if let Some(denial) = denial(error) {
        return denial.failure.clone();
    }
    match error.esource() {
        ErrorSource::Downstream => client_side(error, moment),
        ErrorSource::Upstream => origin_side(error, moment),
        ErrorSource::Internal | ErrorSource::Unset => inside(error, moment),
    }
}

fn client_side(error: &Error, moment: Moment) -> Failure {
    let phase = moment.client_phase();
    let failure = |fault| Failure::new(Side::Client, phase, fault);
    match error.etype() {
        // Only a request can be late, even if its answer has begun.
        ErrorType::ReadTimedout => {
            Failure::new(Side::Client, Phase::Request, Fault::TimedOut).with(Key::Part, "body")
        }
        ErrorType::WriteTimedout => Failure::new(Side::Client, Phase::Respond, Fault::TimedOut),
        ErrorType::ConnectionClosed => failure(Fault::Closed).with(Key::Left, "closed"),
        ErrorType::ReadError | ErrorType::WriteError => left(error, failure),
        ErrorType::InvalidHTTPHeader => header::nominated(error),
        ErrorType::H1Error | ErrorType::Custom("InvalidChunk" | "InvalidTrailerEnd") => {
            failure(Fault::Malformed).with(Key::Part, "body")
        }
        // `PrematureBodyEnd` among them: a filter here made the body shorter than its header says.
        ErrorType::ConnectTimedout
        | ErrorType::ConnectRefused
        | ErrorType::ConnectNoRoute
        | ErrorType::ConnectError
        | ErrorType::ConnectProxyFailure
        | ErrorType::TLSWantX509Lookup
        | ErrorType::TLSHandshakeFailure
        | ErrorType::TLSHandshakeTimedout
        | ErrorType::InvalidCert
        | ErrorType::HandshakeError
        | ErrorType::BindError
        | ErrorType::AcceptError
        | ErrorType::SocketError
        | ErrorType::H2Error
        | ErrorType::H2Downgrade
        | ErrorType::InvalidH2
        | ErrorType::HTTPStatus(_)
        | ErrorType::FileOpenError
        | ErrorType::FileCreateError
        | ErrorType::FileReadError
        | ErrorType::FileWriteError
        | ErrorType::InternalError
        | ErrorType::UnknownError
        | ErrorType::Custom(_)
        | ErrorType::CustomCode(..) => inside(error, moment),
    }
}

/// How the client left: by FIN, or by RST or `RST_STREAM`.
fn left(error: &Error, failure: impl Fn(Fault) -> Failure) -> Failure {
    match io_error(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted) => {
            failure(Fault::Reset).with(Key::Left, "reset")
        }
        _ if http2::reset(error) => failure(Fault::Reset).with(Key::Left, "reset"),
        _ => failure(Fault::Closed).with(Key::Left, "closed"),
    }
}

fn origin_side(error: &Error, moment: Moment) -> Failure {
    let phase = moment.phase();
    let failure = |fault| Failure::new(Side::Origin, phase, fault);
    if let Some(io) = io_error(error).or_else(|| http2::io(error))
        && let Some(found) = secured(io, phase)
    {
        return found;
    }
    if let Some(fault) = http2::fault(error) {
        return errno(failure(fault), error);
    }
    if let Some(rule) = http2::breach(error) {
        return failure(Fault::Malformed).with(Key::Rule, rule);
    }
    match error.etype() {
        ErrorType::ConnectRefused | ErrorType::ConnectNoRoute | ErrorType::ConnectError => {
            connecting(error, moment)
        }
        ErrorType::ConnectTimedout => {
            // The same limit runs first for TCP and then anew for TLS; the wording tells which. One
            // on both together, which only a service can set, does not tell where it ran out.
            let context = context(error);
            let tls = context.starts_with("connecting to server ")
                && !context.contains(", total-connection timeout ");
            let phase = if tls { Phase::Tls } else { Phase::Connect };
            Failure::new(Side::Origin, phase, Fault::TimedOut)
        }
        ErrorType::TLSHandshakeTimedout => Failure::new(Side::Origin, Phase::Tls, Fault::TimedOut),
        ErrorType::TLSHandshakeFailure
        | ErrorType::InvalidCert
        | ErrorType::HandshakeError
        | ErrorType::TLSWantX509Lookup => tls::failure(context(error)),
        ErrorType::InvalidHTTPHeader => header::malformed(error),
        ErrorType::ReadTimedout if moment.answered => failure(Fault::Stalled),
        ErrorType::ReadTimedout => failure(Fault::TimedOut),
        ErrorType::WriteTimedout => Failure::new(Side::Origin, Phase::Send, Fault::TimedOut),
        ErrorType::ConnectionClosed if moment.answered => {
            failure(Fault::Truncated).with(Key::Left, "closed")
        }
        ErrorType::ConnectionClosed => received(failure(Fault::Closed), error),
        ErrorType::ReadError if moment.answered => {
            // TLS calls an end without good-bye an unexpected one.
            let end = io_error(error).map(io::Error::kind) == Some(io::ErrorKind::UnexpectedEof);
            failure(Fault::Truncated).with(Key::Left, if end { "closed" } else { "reset" })
        }
        ErrorType::ReadError | ErrorType::WriteError => {
            let fault = match io_error(error).map(io::Error::kind) {
                Some(io::ErrorKind::ConnectionReset) => Fault::Reset,
                _ => Fault::Closed,
            };
            received(errno(failure(fault), error), error)
        }
        ErrorType::Custom("InvalidChunk" | "InvalidTrailerEnd") => {
            failure(Fault::TransferCoding).with(Key::Coding, "chunked")
        }
        ErrorType::H1Error => failure(Fault::Malformed),
        ErrorType::H2Error | ErrorType::InvalidH2 | ErrorType::H2Downgrade => {
            failure(Fault::Malformed).with(Key::Rule, "not HTTP/2")
        }
        ErrorType::InternalError
        | ErrorType::BindError
        | ErrorType::SocketError
        | ErrorType::AcceptError
        | ErrorType::ConnectProxyFailure
        | ErrorType::HTTPStatus(_)
        | ErrorType::FileOpenError
        | ErrorType::FileCreateError
        | ErrorType::FileReadError
        | ErrorType::FileWriteError
        | ErrorType::UnknownError
        | ErrorType::Custom(_)
        | ErrorType::CustomCode(..) => inside(error, moment),
    }
}

/// What TLS says of a connection in this phase. The library's own error is there on HTTP/1.1 over
/// our connector; its words are, over HTTP/2 and over Pingora's.
pub(crate) fn secured(error: &io::Error, phase: Phase) -> Option<Failure> {
    let found = if let Some(typed) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        tls_refused(typed)
    } else {
        let words = error.to_string();
        tls::failure(&words[words.find(tls::ALERT)?..])
    };
    if phase > Phase::Tls && matches!(found.fault, Fault::TlsNotTls | Fault::TlsHandshake) {
        // It did speak TLS, and well enough to agree on it.
        let rule = found.evidence.text(Key::Rule).unwrap_or("a broken message");
        let failure = Failure::new(Side::Origin, phase, Fault::Malformed);
        return Some(failure.with(Key::Rule, format!("within TLS, {rule}")));
    }
    // Only what the other end says of a handshake that is over belongs to a later phase.
    Some(Failure { phase: phase.max(found.phase), ..found })
}

/// A connection that could not be made, by the operating system's word.
fn connecting(error: &Error, moment: Moment) -> Failure {
    let fault = match io_error(error).and_then(system::fault) {
        Some(fault) => fault,
        _ if *error.etype() == ErrorType::ConnectRefused => Fault::Refused,
        _ if *error.etype() == ErrorType::ConnectNoRoute => Fault::Unroutable,
        _ => return inside(error, moment),
    };
    errno(Failure::new(Side::Origin, Phase::Connect, fault), error)
}

/// What broke within this process, or was not foreseen.
fn inside(error: &Error, moment: Moment) -> Failure {
    let os = io_error(error).and_then(io::Error::raw_os_error);
    let fault = match (error.root_etype(), os) {
        (_, Some(24 | 23)) => Fault::FilesExhausted,
        (_, Some(99)) => Fault::PortsExhausted,
        (_, Some(13 | 1)) if moment.connecting => Fault::Forbidden,
        _ => Fault::Unforeseen,
    };
    if fault == Fault::Unforeseen {
        let phase = moment.phase();
        // The text may hold bytes of a message: only the error's type goes on record.
        let at = format!("{} in phase {phase}", error.root_etype().as_str());
        return Failure::new(Side::Inside, phase, fault).with(Key::At, at);
    }
    errno(Failure::new(Side::Origin, Phase::Connect, fault), error)
}

/// The context of the innermost of Pingora's errors: where the failure was first noticed. It may
/// hold bytes of messages, and is only ever matched.
fn context(error: &Error) -> &str {
    let mut innermost = error;
    while let Some(inner) = innermost.cause.as_deref().and_then(|c| c.downcast_ref::<Box<Error>>())
    {
        innermost = inner;
    }
    innermost.context.as_ref().map_or("", |context| context.as_str())
}

/// What the root cause says of itself: another library's words, pinned by tests.
fn root(error: &Error) -> String {
    error.root_cause().to_string()
}

#[cfg(test)]
mod tests;
