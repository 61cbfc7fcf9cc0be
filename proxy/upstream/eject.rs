//! Which failures of requests speak against an endpoint: those whose verdict is on the origin or the
//! network, and that another request might meet with as well.
//!
//! An error that the origin tells of itself is its answer to that request; one client that asks for
//! what always fails must not take every endpoint from all the others. What stands for the endpoint
//! as a whole are the statuses by which a gateway or a server says that it cannot serve (502, 503,
//! 504), and whatever broke before or instead of an answer.

use whodunit_filters::attribution::cause::answer::{
    ORIGIN_ERROR, RESPONSE_HEADER_LINE_TOO_LARGE, RESPONSE_HEADER_TOO_LARGE, UPGRADE_FAILED,
};
use whodunit_filters::attribution::cause::body::{
    RESPONSE_BAD_CONTENT_CODING, RESPONSE_BODY_TOO_LARGE, RESPONSE_DEADLINE, TUNNEL_BROKEN,
};
use whodunit_filters::attribution::cause::send::{KEEPALIVE_RACE, ORIGIN_EARLY_RESPONSE};
use whodunit_filters::attribution::{Attempt, Cause, Fault, NextHop, Party, Phase};
use whodunit_pingora::Audience;

use super::pool::Pool;
use super::rotation::Reason;

/// What depends on the one request: our limits on what it asked for, a protocol it wanted to change
/// to, a connection that had grown old.
const OF_THE_REQUEST: [Cause; 10] = [
    &ORIGIN_ERROR,
    &RESPONSE_HEADER_LINE_TOO_LARGE,
    &RESPONSE_HEADER_TOO_LARGE,
    &UPGRADE_FAILED,
    &RESPONSE_BAD_CONTENT_CODING,
    &RESPONSE_BODY_TOO_LARGE,
    &RESPONSE_DEADLINE,
    &TUNNEL_BROKEN,
    &KEEPALIVE_RACE,
    &ORIGIN_EARLY_RESPONSE,
];

/// Whether an attempt that failed by this cause speaks against its endpoint.
#[must_use]
pub fn counts(cause: Cause) -> bool {
    matches!(cause.party, Party::Origin | Party::Network)
        && cause.phase >= Phase::Connect
        && !OF_THE_REQUEST.contains(&cause)
}

/// Whether the endpoint ended a connection that had served before, and left out what came too late
/// (RFC 9113 section 6.8): the same as an old connection of HTTP/1.1 that is closed.
fn grew_old(attempt: &Attempt) -> bool {
    let reset = |fault| matches!(fault, Fault::StreamReset(_));
    attempt.untouched
        && attempt.connection.is_some_and(|connection| connection.reused)
        && !attempt.failure.as_ref().is_some_and(|failure| reset(failure.fault))
}

impl Audience for Pool {
    fn failed(&self, attempt: &Attempt, cause: Cause) {
        if counts(cause) && !grew_old(attempt) {
            let reason = Reason::Failed(cause);
            self.rotation().failed(&attempt.next_hop, reason, || self.members_in_force());
        }
    }

    fn answered(&self, next_hop: &NextHop, status: u16, cause: Option<Cause>) {
        let gateway = matches!(status, 502..=504);
        match cause {
            Some(cause) if gateway && matches!(cause.party, Party::Origin | Party::Network) => {
                let reason = Reason::Answered(status, Some(cause));
                self.rotation().failed(next_hop, reason, || self.members_in_force());
            }
            // A proxy that is trusted names somebody behind it.
            Some(_) if gateway => {}
            _ => self.rotation().answered(next_hop),
        }
    }
}

#[cfg(test)]
mod tests {
    use whodunit_filters::attribution::cause;

    use super::*;

    #[test]
    fn only_what_may_meet_any_request_speaks_against_an_endpoint() {
        for (id, expected) in [
            ("connect_refused", true),
            ("connect_timeout", true),
            ("connect_unroutable", true),
            ("tls_certificate_expired", true),
            ("tls_stalled", true),
            ("origin_reset", true),
            ("origin_slow", true),
            ("response_malformed", true),
            ("response_truncated", true),
            ("request_black_hole", true),
            ("h2_goaway", true),
            ("keepalive_race", false),
            ("origin_error", false),
            ("response_header_too_large", false),
            ("response_deadline", false),
            ("upgrade_failed", false),
            ("dns_name_not_found", false),
            ("dns_stale_address", false),
            ("alpn_mismatch", false),
            ("client_aborted", false),
            ("client_slow", false),
            ("proxy_ports_exhausted", false),
            ("upstream_limit_reached", false),
            ("next_hop_error", false),
        ] {
            assert_eq!(counts(cause::find(id).expect("a row")), expected, "{id}");
        }
    }
}
