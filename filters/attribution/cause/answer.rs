//! What came back from the origin, or did not.

use super::{Again, Cause, Row, Status, rows, witness};
use crate::attribution::diagnosis::Scene;
use crate::attribution::evidence::{Fault, Party, Phase};
use crate::attribution::key::Key;
use crate::attribution::rfc9209::ErrorType;

rows! {
    ORIGIN_SLOW = Row {
        id: "origin_slow",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::ConnectionReadTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(524),
        again: Again::After(5),
        meaning: "The origin took the request and then sent nothing for as long as the read limit allows.",
        says: "{next_hop} took the request and sent nothing for {limit_ms}.",
        remedy: "Find out what the origin was doing for so long (a slow query, a lock, too few workers); if it needs longer, raise `{setting}`.",
        details: "no answer within {limit_ms}",
        proof: &[Key::LimitMs, Key::Setting],
        elsewhere: &[("nginx", "upstream timed out (110) while reading response header"), ("Envoy", "UT"), ("HAProxy", "sH"), ("Cloudflare", "524")],
        when: |scene: &Scene<'_>| scene.origin(&[Phase::Wait], Fault::TimedOut),
        witness: || witness::failed(Phase::Wait, Fault::TimedOut, |_, f| {
            f.evidence.set(Key::LimitMs, 60_000_u64);
            f.evidence.set(Key::Setting, "timeouts.read");
        }),
    };
    NEXT_HOP_ERROR = Row {
        id: "next_hop_error",
        party: Party::NextHop,
        phase: Phase::Wait,
        error: None,
        standard: Status::Pass,
        cloudflare: Status::Pass,
        again: Again::Never,
        meaning: "A proxy behind this one, whose word is believed, names the link that failed.",
        says: "{inner_node} behind {next_hop} reports: {inner_cause}.",
        remedy: "Look at {inner_node}: its record of this request has the same id.",
        details: "a hop behind this one names the cause",
        proof: &[Key::InnerNode],
        elsewhere: &[],
        when: |scene: &Scene<'_>| scene.failure.is_none() && scene.exchange.trusted_hop && scene.exchange.received.is_some(),
        witness: || {
            let mut exchange = witness::exchange();
            exchange.upstream_status = Some(502);
            exchange.trusted_hop = true;
            exchange.received = Some("tier2; error=connection_refused".into());
            exchange
        },
    };
    ORIGIN_ERROR = Row {
        id: "origin_error",
        party: Party::Origin,
        phase: Phase::Wait,
        error: None,
        standard: Status::Pass,
        cloudflare: Status::Pass,
        again: Again::Never,
        meaning: "The origin itself answered with a 5xx status; it is passed on as it came.",
        says: "The origin itself answered with status {status}.",
        remedy: "Look at the origin's own log at this time; this proxy and the way to the origin are fine.",
        details: "the origin answered with this status",
        proof: &[Key::Status],
        elsewhere: &[("Envoy", "via_upstream"), ("nginx", "the same status in $upstream_status (not proof there)"), ("AWS ALB", "elb_status_code equals target_status_code")],
        when: |scene: &Scene<'_>| scene.failure.is_none() && scene.exchange.upstream_status.is_some_and(|s| s >= 500),
        witness: || {
            let mut exchange = witness::exchange();
            exchange.upstream_status = Some(503);
            exchange
        },
    };
}
