//! Sending the request to the origin.

use std::time::Duration;

use super::{
    Again, Cause, ErrorType, Fault, Key, Party, Phase, Row, Scene, Side, Status, rows, witness,
};
use crate::attribution::evidence::Sent;

/// An origin that was closing the connection anyhow is found out after one round trip, and few take
/// longer than this many milliseconds; what it does later it does because of the request.
const AT_ONCE: u64 = 300;

/// A connection that had been idle for less was not closed for being idle: no origin is that hasty.
const RESTED: Duration = Duration::from_secs(1);

rows! {
    ORIGIN_EARLY_RESPONSE = Row {
        id: "origin_early_response",
        party: Party::Origin,
        phase: Phase::Send,
        error: None,
        standard: Status::Pass,
        cloudflare: Status::Pass,
        again: Again::Never,
        meaning: "The origin answered before it had read the whole request, and its answer is passed on as it came. What then broke on sending the rest is a consequence.",
        says: "{next_hop} answered with status {status} before it had taken the whole request[ ({written} were written)].",
        remedy: "Look at what the origin answered, and into its log: it refused the request by its header or its size (a limit on bodies, a missing login).",
        details: "the origin answered before the request was complete[ ({written} written)]",
        proof: &[Key::Status, Key::Written],
        elsewhere: &[("nginx", "writev() failed (32: Broken pipe) while sending request to upstream"), ("Envoy", "via_upstream"), ("HAProxy", "the origin's status with SD or --")],
        when: |s| s.exchange.upstream_status.is_some() && !believed(s) && match s.failure {
            None => s.exchange.early,
            Some(_) => matches!(s.at(Side::Origin), Some((Phase::Send, Fault::Closed | Fault::Reset))),
        },
        witness: || {
            let mut exchange = witness::told(413, Sent::Partial);
            exchange.early = true;
            exchange.bytes.upstream_out = 65_536;
            exchange
        },
    };
    KEEPALIVE_RACE = Row {
        id: "keepalive_race",
        party: Party::Proxy,
        phase: Phase::Send,
        error: Some(ErrorType::ConnectionTerminated),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::Now,
        meaning: "This proxy sent the request over a connection kept from earlier requests, just as the origin was closing it.",
        says: "{next_hop} was closing the kept connection just as this request was sent over it[; it had been idle for {idle_ms}][, and the origin closes them after {origin_idle_ms}].",
        remedy: "Set `timeouts.idle` a few seconds below the time after which the origin closes idle connections[ ({origin_idle_ms})].",
        details: "kept connection closed by the origin[ after {idle_ms} idle]",
        proof: &[Key::Received, Key::IdleMs, Key::OriginIdleMs],
        elsewhere: &[("nginx", "upstream prematurely closed connection, or recv() failed (104), over a keepalive connection"), ("Envoy", "503, UC"), ("HAProxy", "SH; retried with retry-on conn-failure empty-response"), ("AWS ALB", "502; keep-alive of the target shorter than the idle timeout"), ("Go (Caddy, Traefik)", "http: server closed idle connection, or EOF")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Send | Phase::Wait, Fault::Closed | Fault::Reset)))
            && s.reused()
            && s.number(Key::Received).unwrap_or(0) == 0
            && s.number(Key::WaitedMs).is_none_or(|ms| ms <= AT_ONCE)
            && !taken_up(s),
        witness: || witness::reused(
            witness::origin(Phase::Wait, Fault::Closed).with(Key::Received, 0_u64).with(Key::OriginIdleMs, 60_000_u64),
        ),
    };
    REQUEST_WRITE_FAILED = Row {
        id: "request_write_failed",
        party: Party::Origin,
        phase: Phase::Send,
        error: Some(ErrorType::ConnectionTerminated),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::After(5),
        meaning: "The origin closed the connection while the request was still being sent to it.",
        says: "{next_hop} closed the connection while the request was being sent[; {written} were written][ of {expected}].",
        remedy: "Look into the origin's log at this time: it crashed, was stopped, or refuses requests of this kind or size without answering.",
        details: "closed while the request was being sent[: {written} written][ of {expected}]",
        proof: &[Key::Written],
        elsewhere: &[("nginx", "writev() failed (104: Connection reset by peer) while sending request to upstream"), ("Envoy", "503, UC"), ("HAProxy", "SH or SD"), ("AWS ALB", "502"), ("Go (Caddy, Traefik)", "write: connection reset by peer, or broken pipe")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Send, Fault::Closed | Fault::Reset | Fault::Truncated))),
        witness: || witness::attempted(witness::origin(Phase::Send, Fault::Reset).with(Key::Written, 65_536_u64)),
    };
    REQUEST_BLACK_HOLE = Row {
        id: "request_black_hole",
        party: Party::Network,
        phase: Phase::Send,
        error: Some(ErrorType::ConnectionReadTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(522),
        again: Again::Never,
        meaning: "Large packets of the request are lost on the way to the origin while small requests get through: something on the way passes only smaller packets and does not say so.",
        says: "Packets of this request are lost on the way to {next_hop} ({retransmits} sent again), while {smaller_answered} smaller requests got through.",
        remedy: "Find the link that passes only smaller packets (`tracepath`): a tunnel or VPN is the usual one. Let it report what it drops, or lower the packet size of this machine's interface.",
        details: "packets lost[: {unacked} unconfirmed][, {retransmits} sent again], smaller requests pass",
        proof: &[Key::Unacked, Key::Retransmits, Key::SmallerAnswered],
        elsewhere: &[("nginx", "upstream timed out (110) while sending request to upstream"), ("Envoy", "504, UT"), ("Cloudflare", "522 or 524")],
        when: |s| unconfirmed(s) && s.has(Key::SmallerAnswered),
        witness: || witness::attempted(
            witness::origin(Phase::Wait, Fault::TimedOut)
                .with(Key::Unacked, 3_u64).with(Key::Retransmits, 6_u64).with(Key::SmallerAnswered, 40_u64),
        ),
    };
    REQUEST_UNACKNOWLEDGED = Row {
        id: "request_unacknowledged",
        party: Party::Network,
        phase: Phase::Wait,
        error: Some(ErrorType::ConnectionReadTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(522),
        again: Again::After(5),
        meaning: "The origin's machine never confirmed that the request arrived, although it was sent again and again.",
        says: "The request was never confirmed to have arrived at {next_hop}[: {unacked} packets were not][, though sent again {retransmits} times].",
        remedy: "Check the way between here and there, and that the origin's machine is still up; a firewall that forgot the connection does this too.",
        details: "request not confirmed[: {unacked} packets][, {retransmits} sent again]",
        proof: &[Key::Unacked, Key::Retransmits],
        elsewhere: &[("nginx", "upstream timed out (110) while reading response header"), ("Envoy", "504, UT"), ("HAProxy", "504, sH"), ("Cloudflare", "522")],
        when: |s| unconfirmed(s),
        witness: || witness::attempted(
            witness::origin(Phase::Wait, Fault::TimedOut).with(Key::Unacked, 1_u64).with(Key::Retransmits, 6_u64),
        ),
    };
    REQUEST_WRITE_TIMEOUT = Row {
        id: "request_write_timeout",
        party: Party::Origin,
        phase: Phase::Send,
        error: Some(ErrorType::ConnectionWriteTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(524),
        again: Again::After(5),
        meaning: "The origin stopped reading the request, or reads it too slowly, and a limit ran out before it was sent.",
        says: "{next_hop} had not taken the whole request[ when the limit of {limit_ms} ran out][, but only {written} of its body].",
        remedy: "Find out why the origin does not read on: it hangs, or its workers are all busy[; if it needs longer, raise `{setting}`].",
        details: "the request was not taken whole[ before {limit_ms} ran out][, {written} of its body were]",
        proof: &[Key::Written, Key::WindowClosed],
        elsewhere: &[("nginx", "upstream timed out (110) while sending request to upstream"), ("Envoy", "504, UT or SI"), ("HAProxy", "sD"), ("Cloudflare", "524")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Send, Fault::TimedOut | Fault::Stalled))),
        witness: || witness::attempted(
            witness::origin(Phase::Send, Fault::TimedOut)
                .with(Key::Written, 65_536_u64).with(Key::WindowClosed, true)
                .with(Key::LimitMs, 30_000_u64).with(Key::Setting, "timeouts.write"),
        ),
    };
}

/// Whether the request had reached an origin that was not about to close the connection anyhow. One
/// that closes without having read what came resets the connection: after a FIN that confirms the
/// request, it was read.
fn taken_up(scene: &Scene<'_>) -> bool {
    let Some((Phase::Wait, fault)) = scene.at(Side::Origin) else { return false };
    let idle = scene.attempt.and_then(|attempt| attempt.connection).map(|c| c.idle);
    scene.flag(Key::Acknowledged) == Some(true)
        && !scene.has(Key::OriginIdleMs)
        && (fault == Fault::Closed || idle.is_some_and(|idle| idle < RESTED))
}

/// What was sent was sent again, and never confirmed. The kernel gives up on such a connection by
/// itself in the end (`ETIMEDOUT`).
fn unconfirmed(scene: &Scene<'_>) -> bool {
    match scene.at(Side::Origin) {
        Some((Phase::Send | Phase::Wait, Fault::TimedOut)) => {
            scene.has(Key::Unacked) && scene.has(Key::Retransmits)
        }
        Some((Phase::Send | Phase::Wait, _)) => scene.text(Key::Errno) == Some("ETIMEDOUT"),
        _ => false,
    }
}

/// The answer comes from a proxy whose word counts, and that names the link that failed.
pub(super) fn believed(scene: &Scene<'_>) -> bool {
    scene.failure.is_none()
        && scene.exchange.trusted_hop
        && scene.exchange.inner.find(Key::InnerNode).is_some()
}
