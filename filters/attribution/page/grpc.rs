//! The verdict for a gRPC client: an answer of trailers only.

use std::fmt::Write;

use super::Told;
use crate::attribution::cause::Cause;
use crate::attribution::diagnosis::Diagnosis;
use crate::attribution::disclosure::Disclosure;
use crate::attribution::exchange::Exchange;
use crate::attribution::rfc9209::ErrorType;

/// What a gRPC client is answered, beside HTTP status 200 and `content-type: application/grpc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grpc {
    /// `grpc-status`.
    pub status: u8,
    /// `grpc-message`, percent-encoded.
    pub message: String,
}

impl Grpc {
    /// Whether a request's `Content-Type` is gRPC's. gRPC-Web is not: its trailers stand in the
    /// body.
    #[must_use]
    pub fn asked(content_type: Option<&[u8]>) -> bool {
        let gives = b"application/grpc";
        content_type.is_some_and(|value| {
            value.len() >= gives.len()
                && value[..gives.len()].eq_ignore_ascii_case(gives)
                && matches!(value.get(gives.len()), None | Some(b'+' | b';' | b' '))
        })
    }

    /// The answer that stands for this HTTP status, by gRPC's own table of status codes; beyond
    /// it, 499 is `CANCELLED`, 500 `INTERNAL`, a size over its limit `RESOURCE_EXHAUSTED`, and a time
    /// that ran out once the origin had the request, and may have acted on it, `DEADLINE_EXCEEDED`:
    /// `UNAVAILABLE` invites clients to send it again.
    #[must_use]
    pub fn of(
        exchange: &Exchange,
        diagnosis: &Diagnosis,
        status: u16,
        disclosure: Disclosure,
    ) -> Self {
        let told = Told::of(exchange, diagnosis, disclosure, "");
        let given = exchange.last_attempt().is_some_and(|attempt| !attempt.harmless());
        let code = match status {
            504 | 524 if given => 4,
            499 => 1,
            403 => 7,
            413 | 414 | 431 => 8,
            404 | 405 => 12,
            400 | 500 => 13,
            408 | 429 | 502..=504 | 520..=526 | 530 => 14,
            401 => 16,
            _ => 2,
        };
        let message = format!("{} ({}, ref {})", told.what, diagnosis.cause.id, exchange.id);
        Self { status: code, message: percent_encoded(&message) }
    }

    /// The trailers of an answer that was broken off.
    #[must_use]
    pub fn broken_off(exchange: &Exchange, diagnosis: &Diagnosis, disclosure: Disclosure) -> Self {
        Self::of(exchange, diagnosis, late(diagnosis.cause), disclosure)
    }
}

/// The HTTP status that stands for a cause by which an answer was broken off.
const fn late(cause: Cause) -> u16 {
    match (cause.standard.code(), cause.error) {
        (Some(status), _) => status,
        (
            None,
            Some(
                ErrorType::ConnectionReadTimeout
                | ErrorType::ConnectionWriteTimeout
                | ErrorType::HttpResponseTimeout,
            ),
        ) => 504,
        (None, _) => 502,
    }
}

/// As gRPC's protocol demands of `grpc-message`: printable ASCII but `%` stands for itself.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes all");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::cause;
    use crate::attribution::evidence::Sent;

    fn of(id: &str, sent: Sent, status: Option<u16>) -> u8 {
        let mut exchange = (cause::find(id).expect("a row").witness)();
        if let Some(attempt) = exchange.last_attempt_mut() {
            attempt.sent = sent;
        }
        let diagnosis = Diagnosis::of(&exchange).expect("a verdict");
        let told = Disclosure::Full;
        match status {
            Some(status) => Grpc::of(&exchange, &diagnosis, status, told).status,
            None => Grpc::broken_off(&exchange, &diagnosis, told).status,
        }
    }

    #[test]
    fn a_time_that_ran_out_invites_to_try_again_only_if_nothing_was_sent() {
        assert_eq!(of("connect_timeout", Sent::None, Some(504)), 14);
        assert_eq!(of("origin_slow", Sent::Acked, Some(504)), 4);
        assert_eq!(of("origin_slow", Sent::Full, Some(524)), 4);
        assert_eq!(of("response_stalled", Sent::Full, None), 4);
        assert_eq!(of("response_truncated", Sent::Full, None), 14);
    }

    #[test]
    fn only_grpc_is_grpc() {
        for yes in ["application/grpc", "application/grpc+proto", "Application/gRPC;x=1"] {
            assert!(Grpc::asked(Some(yes.as_bytes())), "{yes}");
        }
        for no in ["application/grpc-web", "application/grpcx", "application/json", ""] {
            assert!(!Grpc::asked(Some(no.as_bytes())), "{no}");
        }
        assert!(!Grpc::asked(None));
    }

    #[test]
    fn messages_are_encoded() {
        assert_eq!(percent_encoded("50% of ü\n"), "50%25 of %C3%BC%0A");
    }
}
