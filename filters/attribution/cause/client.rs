//! What the client did wrong.

use super::{Again, Cause, Row, Status, by_denial, rows, witness};
use crate::attribution::evidence::{Party, Phase};
use crate::attribution::rfc9209::ErrorType;

rows! {
    CLIENT_HEADER_TOO_LARGE = Row {
        id: "client_header_too_large",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(431),
        cloudflare: Status::Code(431),
        again: Again::Never,
        meaning: "A placeholder.",
        says: "A placeholder.",
        remedy: "A placeholder.",
        details: "a placeholder",
        proof: &[],
        elsewhere: &[],
        when: by_denial,
        witness: || witness::denied(&CLIENT_HEADER_TOO_LARGE, |_| {}),
    };
    CLIENT_URI_TOO_LONG = Row {
        id: "client_uri_too_long",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(414),
        cloudflare: Status::Code(414),
        again: Again::Never,
        meaning: "A placeholder.",
        says: "A placeholder.",
        remedy: "A placeholder.",
        details: "a placeholder",
        proof: &[],
        elsewhere: &[],
        when: by_denial,
        witness: || witness::denied(&CLIENT_URI_TOO_LONG, |_| {}),
    };
    CLIENT_BODY_TOO_LARGE = Row {
        id: "client_body_too_large",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(413),
        cloudflare: Status::Code(413),
        again: Again::Never,
        meaning: "A placeholder.",
        says: "A placeholder.",
        remedy: "A placeholder.",
        details: "a placeholder",
        proof: &[],
        elsewhere: &[],
        when: by_denial,
        witness: || witness::denied(&CLIENT_BODY_TOO_LARGE, |_| {}),
    };
    CLIENT_METHOD_REFUSED = Row {
        id: "client_method_refused",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(405),
        cloudflare: Status::Code(405),
        again: Again::Never,
        meaning: "A placeholder.",
        says: "A placeholder.",
        remedy: "A placeholder.",
        details: "a placeholder",
        proof: &[],
        elsewhere: &[],
        when: by_denial,
        witness: || witness::denied(&CLIENT_METHOD_REFUSED, |_| {}),
    };
}
