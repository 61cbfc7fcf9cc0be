//! What came back from the origin, or did not, until the end of its header section; bodies have a
//! file of their own.

use super::send::believed;
use super::{Again, Cause, ErrorType, Fault, Key, Party, Phase, Row, Side, Status, rows, witness};
use crate::attribution::evidence::Sent;

pub use super::body::*;
pub use super::proxy::NO_HEALTHY_UPSTREAM;

rows! {
    ORIGIN_RESET = Row {
        id: "origin_reset",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::ConnectionTerminated),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::After(5),
        meaning: "The origin took the request and then broke the connection off hard: it crashed, was killed, or ran out of memory.",
        says: "{next_hop} broke the connection off[ after {waited_ms}], instead of answering.",
        remedy: "Look into the origin's log, and the system's (`dmesg`, `journalctl`), at this time for a crash or a process that was killed.",
        details: "connection broken off (reset)[ after {waited_ms}][, {received} received]",
        proof: &[Key::Received, Key::WaitedMs, Key::Acknowledged],
        elsewhere: &[("nginx", "recv() failed (104: Connection reset by peer) while reading response header from upstream"), ("Envoy", "503, UC"), ("HAProxy", "502, SH"), ("AWS ALB", "502"), ("Cloudflare", "520"), ("Go (Caddy, Traefik)", "read: connection reset by peer")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Wait, Fault::Reset))),
        witness: || witness::attempted(
            witness::origin(Phase::Wait, Fault::Reset).with(Key::Received, 0_u64).with(Key::WaitedMs, 120_u64)
                .with(Key::Acknowledged, true),
        ),
    };
    ORIGIN_CLOSED = Row {
        id: "origin_closed",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::ConnectionTerminated),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::After(5),
        meaning: "The origin took the request and then closed the connection without an answer, or in the middle of the answer's header.",
        says: "{next_hop} closed the connection[ after {waited_ms}] without a complete answer.",
        remedy: "Look into the origin's log at this time: a worker that ended, or a time limit of its own if it is always after the same time.",
        details: "closed without an answer[ after {waited_ms}][, {received} received]",
        proof: &[Key::Received, Key::WaitedMs, Key::Acknowledged],
        elsewhere: &[("nginx", "upstream prematurely closed connection while reading response header from upstream"), ("Envoy", "503, UC"), ("HAProxy", "502, SH"), ("AWS ALB", "502"), ("Cloudflare", "520"), ("Go (Caddy, Traefik)", "EOF")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Wait, Fault::Closed | Fault::Truncated))),
        witness: || witness::attempted(
            witness::origin(Phase::Wait, Fault::Closed).with(Key::Received, 0_u64).with(Key::WaitedMs, 120_u64)
                .with(Key::Acknowledged, true),
        ),
    };
    RESPONSE_BLACK_HOLE = Row {
        id: "response_black_hole",
        party: Party::Network,
        phase: Phase::Wait,
        error: Some(ErrorType::ConnectionReadTimeout),
        standard: Status::CodeOrAbort(504),
        cloudflare: Status::CodeOrAbort(522),
        again: Again::Never,
        meaning: "The origin answered, and packets of its answer were lost on the way: smaller ones came, a larger one before them never did. Something on the way passes only smaller packets and does not say so.",
        says: "{next_hop} answered, but a part of its answer was lost on the way[: {out_of_order} packets came without one before them].",
        remedy: "Find the link that passes only smaller packets (`tracepath`, from the origin's machine to this one): a tunnel or VPN is the usual one. Let it report what it drops, or lower the packet size of the origin's interface.",
        details: "packets of the answer lost[: {out_of_order} came without one before them]",
        proof: &[Key::OutOfOrder, Key::PacketsLost, Key::Acknowledged],
        elsewhere: &[("nginx", "upstream timed out (110) while reading response header from upstream"), ("Envoy", "504, UT"), ("HAProxy", "504, sH"), ("Cloudflare", "524")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Wait | Phase::Receive, Fault::TimedOut | Fault::Stalled)))
            && s.has(Key::OutOfOrder) && s.has(Key::PacketsLost),
        witness: || witness::attempted(
            witness::origin(Phase::Wait, Fault::TimedOut)
                .with(Key::OutOfOrder, 1_u64).with(Key::PacketsLost, true).with(Key::Acknowledged, true),
        ),
    };
    ORIGIN_SLOW = Row {
        id: "origin_slow",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::ConnectionReadTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(524),
        again: Again::After(5),
        meaning: "The origin took the request and then sent nothing for as long as the read limit allows.",
        says: "{next_hop} was sent the request and sent nothing back for {limit_ms}.",
        remedy: "Find out what the origin was doing for so long (a slow query, a lock, too few workers)[; if it needs longer, raise `{setting}`].",
        details: "no answer within {limit_ms}",
        proof: &[Key::LimitMs, Key::Setting, Key::Acknowledged],
        elsewhere: &[("nginx", "upstream timed out (110) while reading response header from upstream"), ("Envoy", "504, UT"), ("HAProxy", "504, sH"), ("AWS ALB", "504"), ("Cloudflare", "524")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Wait, Fault::TimedOut | Fault::Stalled))),
        witness: || witness::attempted(
            witness::origin(Phase::Wait, Fault::TimedOut)
                .with(Key::LimitMs, 60_000_u64).with(Key::Setting, "timeouts.read").with(Key::Acknowledged, true),
        ),
    };
    RESPONSE_HEADER_LINE_TOO_LARGE = Row {
        id: "response_header_line_too_large",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::HttpResponseHeaderSize),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::Never,
        meaning: "One field of the answer's header is larger than this proxy allows.",
        says: "The answer of {next_hop} has a header field that is too large[: `{field}`][, {size}][, and {limit} are allowed].",
        remedy: "Make that field smaller at the origin[; if it has to be that large, raise `{setting}`].",
        details: "response header field too large[: {size}][, limit {limit}][ ({setting})]",
        proof: &[Key::Field, Key::Size, Key::Setting],
        elsewhere: &[("nginx", "upstream sent too big header"), ("HAProxy", "502, PH"), ("Cloudflare", "520")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::HeaderLineTooLarge))),
        witness: || witness::attempted(
            witness::origin(Phase::Wait, Fault::HeaderLineTooLarge)
                .with(Key::Field, "set-cookie").with(Key::Size, 40_000_u64)
                .with(Key::Limit, 32_768_u64).with(Key::Setting, "limits.response_header_line"),
        ),
    };
    RESPONSE_HEADER_TOO_LARGE = Row {
        id: "response_header_too_large",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::HttpResponseHeaderSectionSize),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::Never,
        meaning: "The header section of the answer is larger, or has more fields, than this proxy allows.",
        says: "The header of the answer of {next_hop} is too large[: {size} or more, and {limit} are allowed][: {count} fields or more, and {max_count} are allowed].",
        remedy: "Make it smaller at the origin[ (the largest field is `{field}`)]; many or long cookies are the usual reason.[ If it has to be that large, raise `{setting}`.]",
        details: "response header too large[: {size}, limit {limit}][: {count} fields, limit {max_count}][ ({setting})]",
        proof: &[Key::Setting],
        elsewhere: &[("nginx", "upstream sent too big header while reading response header from upstream"), ("Envoy", "503, UPE"), ("HAProxy", "502, PH"), ("AWS ALB", "502"), ("Cloudflare", "520")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::HeaderTooLarge))),
        witness: || witness::attempted(
            witness::origin(Phase::Wait, Fault::HeaderTooLarge)
                .with(Key::Size, 80_000_u64).with(Key::Limit, 65_536_u64).with(Key::Setting, "limits.response_header"),
        ),
    };
    RESPONSE_FRAMING_CONFLICT = Row {
        id: "response_framing_conflict",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::HttpProtocolError),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::Never,
        meaning: "The answer states its length twice, and the two contradict each other; passing it on would let one answer hide in another.",
        says: "The answer of {next_hop} contradicts itself on its length[: {rule}].",
        remedy: "Correct the origin: an answer states its length once, by `Content-Length` or by `Transfer-Encoding: chunked`.",
        details: "contradictory response length[: {rule}]",
        proof: &[Key::Rule],
        elsewhere: &[("nginx", "upstream sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time"), ("Envoy", "503, UPE"), ("HAProxy", "502, PH"), ("AWS ALB", "502")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::Framing))),
        witness: || witness::attempted(witness::origin(Phase::Wait, Fault::Framing).with(Key::Rule, "two different content-lengths")),
    };
    RESPONSE_MALFORMED = Row {
        id: "response_malformed",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::HttpProtocolError),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::Never,
        meaning: "What the origin sent is not a valid HTTP answer.",
        says: "{next_hop} sent something that is not a valid HTTP answer[: {rule}][; it looks like {looks_like}].",
        remedy: "Check that the port is the right one and speaks HTTP; if it does, correct the origin: the rule that it broke stands in the record.",
        details: "malformed response[: {rule}][, at byte {offset}][, looks like {looks_like}]",
        proof: &[Key::Rule],
        elsewhere: &[("nginx", "upstream sent no valid HTTP/1.0 header, or invalid header, while reading response header"), ("Envoy", "503, UPE"), ("HAProxy", "502, PH"), ("AWS ALB", "502"), ("Cloudflare", "520"), ("Go (Caddy, Traefik)", "malformed HTTP response")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::Malformed))),
        witness: || witness::attempted(witness::origin(Phase::Wait, Fault::Malformed).with(Key::Rule, "bad status line").with(Key::LooksLike, "SSH")),
    };
    UPGRADE_FAILED = Row {
        id: "upgrade_failed",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::HttpUpgradeFailed),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::Never,
        meaning: "The change of protocol that the client asked for, such as to WebSocket, went wrong at the origin.",
        says: "The change of protocol went wrong at {next_hop}[: it was asked for {offered}][, and changed to {selected}].",
        remedy: "Check what the origin serves at this path, and that nothing between here and there adds or drops `Upgrade`.",
        details: "protocol change failed",
        proof: &[Key::Offered],
        elsewhere: &[("Envoy", "503, UPE"), ("Go (Caddy, Traefik)", "502, backend tried to switch protocol")],
        when: |s| matches!(s.beyond(), Some((_, Fault::Upgrade))),
        witness: || witness::attempted(witness::origin(Phase::Wait, Fault::Upgrade).with(Key::Offered, "websocket")),
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
        says: "{inner_node}, behind {next_hop}, reports: {inner_cause}.",
        remedy: "Look at {inner_node}: its record of this request has the same id.",
        details: "a hop behind this one names the cause",
        proof: &[Key::InnerNode, Key::InnerCause],
        elsewhere: &[("RFC 9209", "a Proxy-Status member with `error`")],
        when: believed,
        witness: || {
            let mut exchange = witness::told(502, Sent::Full);
            exchange.trusted_hop = true;
            exchange.received = Some("tier2; error=connection_refused".into());
            exchange.inner.set(Key::InnerNode, "tier2");
            exchange.inner.set(Key::InnerCause, "connection_refused");
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
        when: |s| s.failure.is_none() && s.exchange.upstream_status.is_some_and(|status| status >= 500),
        witness: || witness::told(503, Sent::Full),
    };
}
