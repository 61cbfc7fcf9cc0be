//! What the client did or failed to do.

use super::{Again, Cause, Row, Status, by_denial, rows, witness};
use crate::attribution::evidence::{Party, Phase};
use crate::attribution::rfc9209::ErrorType;

macro_rules! refusal {
    ($name:ident, $id:literal, $status:literal) => {
        Row {
            id: $id,
            party: Party::Client,
            phase: Phase::Request,
            error: Some(ErrorType::HttpRequestError),
            standard: Status::Code($status),
            cloudflare: Status::Code($status),
            again: Again::Never,
            meaning: $id,
            says: $id,
            remedy: $id,
            details: $id,
            proof: &[],
            elsewhere: &[],
            when: by_denial,
            witness: || witness::denied(&$name, |_| {}),
        }
    };
}

rows! {
    CLIENT_REQUEST_AMBIGUOUS = refusal!(CLIENT_REQUEST_AMBIGUOUS, "client_request_ambiguous", 400);
    CLIENT_REQUEST_MALFORMED = refusal!(CLIENT_REQUEST_MALFORMED, "client_request_malformed", 400);
    CLIENT_URI_TOO_LONG = refusal!(CLIENT_URI_TOO_LONG, "client_uri_too_long", 414);
    CLIENT_HEADER_TOO_LARGE = refusal!(CLIENT_HEADER_TOO_LARGE, "client_header_too_large", 431);
    CLIENT_METHOD_REFUSED = refusal!(CLIENT_METHOD_REFUSED, "client_method_refused", 405);
}
