//! A response header that could not be read, by what Pingora and its parser say of it.

use pingora::Error;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side, sniff};

use super::{context, root};

/// A response header that could not be read.
pub(super) fn malformed(error: &Error) -> Failure {
    let failure = |fault| Failure::new(Side::Origin, Phase::Wait, fault);
    let context = context(error);
    let objection = root(error);
    // After `buf: ` stand the origin's own bytes: nothing in them is Pingora's word.
    if let Some(bytes) = context.strip_prefix("buf: ") {
        if objection == httparse::Error::TooManyHeaders.to_string() {
            return failure(Fault::HeaderTooLarge)
                .with(Key::MaxCount, 256_u64)
                .with(Key::Count, 257_u64)
                .with(Key::Setting, "limits.response_headers");
        }
        let rule = RULES.iter().find(|(error, _)| objection == error.to_string());
        let rule = rule.map_or("not an HTTP response", |(_, rule)| rule);
        return sniff::note(failure(Fault::Malformed).with(Key::Rule, rule), bytes);
    }
    if context.starts_with("Response header larger than ") {
        return failure(Fault::HeaderTooLarge)
            .with(Key::Limit, 1_048_575_u64)
            .with(Key::Size, 1_048_576_u64)
            .with(Key::Setting, "limits.response_header");
    }
    if context.contains("Content-Length") {
        return failure(Fault::Framing)
            .with(Key::Rule, "Content-Length values that differ, or are no numbers");
    }
    failure(Fault::Malformed).with(Key::Rule, "not an HTTP response")
}

/// What httparse objects to, in our words.
const RULES: [(httparse::Error, &str); 6] = [
    (httparse::Error::HeaderName, "a header field's name holds a byte that it must not"),
    (httparse::Error::HeaderValue, "a header field's value holds a byte that it must not"),
    (httparse::Error::NewLine, "a line does not end as it must"),
    (httparse::Error::Status, "the status is no number of three digits"),
    (httparse::Error::Token, "the first line is not that of an HTTP response"),
    (httparse::Error::Version, "the first line does not begin with an HTTP version"),
];

/// Pingora tells how much of the response header had come when the connection ended.
pub(super) fn received(failure: Failure, error: &Error) -> Failure {
    let number = context(error).split_once("bytes already read: ");
    match number.and_then(|(_, digits)| digits.parse::<u64>().ok()) {
        Some(bytes) => failure.with(Key::Received, bytes),
        None => failure,
    }
}

/// What Pingora refuses of a request's header section that the ingress let pass: the fields that
/// `Connection` names (RFC 9110 section 7.6.1).
pub(super) fn nominated(error: &Error) -> Failure {
    let failure =
        Failure::new(Side::Client, Phase::Request, Fault::Malformed).with(Key::Part, "header");
    let rule = match context(error) {
        "protected header cannot be nominated by the Connection header" => {
            "Connection names a field that it must not"
        }
        "invalid token nominated by the Connection header" => "invalid field name in Connection",
        "too many Connection header nominations" => "Connection names too many fields",
        _ => return failure,
    };
    failure.with(Key::Rule, rule)
}
