//! The origin's name and the way to it.

use super::{
    Again, Cause, ErrorType, Fault, Key, Party, Phase, Row, Scene, Side, Status, rows, witness,
};

/// For so long a connection that was accepted says that the address is served, in milliseconds.
const LATELY: u64 = 60_000;

/// Whether any of these rows can be the verdict.
pub(super) fn concern(scene: &Scene<'_>) -> bool {
    matches!(
        scene.beyond(),
        Some(
            (Phase::Dns | Phase::Connect, _)
                | (
                    _,
                    Fault::NameNotFound
                        | Fault::NameTimedOut
                        | Fault::NameError
                        | Fault::Unroutable
                )
        )
    )
}

rows! {
    DNS_NAME_NOT_FOUND = Row {
        id: "dns_name_not_found",
        party: Party::Origin,
        phase: Phase::Dns,
        error: Some(ErrorType::DnsError),
        standard: Status::Code(502),
        cloudflare: Status::Code(530),
        again: Again::Never,
        meaning: "The origin's name does not exist.",
        says: "The name `{name}` does not exist.",
        remedy: "Correct the name in upstream `{upstream}`, or create it where the zone is kept.[ Did it resolve before, since this proxy started: {ever_resolved}.]",
        details: "the name does not exist[ ({rcode})]",
        proof: &[Key::Name, Key::Rcode],
        elsewhere: &[("nginx", "could not be resolved (3: Host not found)"), ("Envoy", "503, UH or DF"), ("Cloudflare", "530 with error 1016"), ("Caddy, Traefik", "no such host")],
        when: |s| matches!(s.beyond(), Some((_, Fault::NameNotFound))),
        witness: || witness::ended(
            witness::origin(Phase::Dns, Fault::NameNotFound).with(Key::Name, "api.internal").with(Key::Rcode, "NXDOMAIN"),
        ),
    };
    DNS_ERROR = Row {
        id: "dns_error",
        party: Party::Network,
        phase: Phase::Dns,
        error: Some(ErrorType::DnsError),
        standard: Status::Code(502),
        cloudflare: Status::Code(530),
        again: Again::After(5),
        meaning: "The name server answered the question for the origin's name with an error, or without an address.",
        says: "The name server gave no address for `{name}`[: {rcode}].",
        remedy: "Ask it yourself (`dig {name}`); check the zone, and the name server that this machine is set to[ ({resolver})].",
        details: "name lookup failed[: {rcode}]",
        proof: &[Key::Name, Key::Rcode],
        elsewhere: &[("nginx", "could not be resolved (2: Server failure)"), ("Envoy", "503, UH or DF"), ("Cloudflare", "530 with error 1016"), ("Caddy, Traefik", "server misbehaving")],
        when: |s| matches!(s.beyond(), Some((_, Fault::NameError))),
        witness: || witness::ended(
            witness::origin(Phase::Dns, Fault::NameError).with(Key::Name, "api.internal").with(Key::Rcode, "SERVFAIL"),
        ),
    };
    DNS_TIMEOUT = Row {
        id: "dns_timeout",
        party: Party::Network,
        phase: Phase::Dns,
        error: Some(ErrorType::DnsTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(530),
        again: Again::After(5),
        meaning: "No name server answered the question for the origin's name in time.",
        says: "No name server answered the question for `{name}`[ within {waited_ms}].",
        remedy: "Check that the name server[ {resolver}] is up and reachable from this machine (port 53, UDP and TCP).",
        details: "name lookup timed out[ after {waited_ms}]",
        proof: &[Key::Resolver, Key::WaitedMs],
        elsewhere: &[("nginx", "could not be resolved (110: Operation timed out)"), ("Envoy", "503, UH or DF"), ("Caddy, Traefik", "lookup …: i/o timeout")],
        when: |s| matches!(s.beyond(), Some((_, Fault::NameTimedOut) | (Phase::Dns, Fault::TimedOut))),
        witness: || witness::ended(
            witness::origin(Phase::Dns, Fault::NameTimedOut)
                .with(Key::Name, "api.internal").with(Key::Resolver, "192.0.2.53:53").with(Key::WaitedMs, 5_000_u64),
        ),
    };
    DNS_STALE_ADDRESS = stale(ErrorType::ConnectionRefused, Status::Code(502), Status::Code(521));
    CONNECT_REFUSED = Row {
        id: "connect_refused",
        party: Party::Origin,
        phase: Phase::Connect,
        error: Some(ErrorType::ConnectionRefused),
        standard: Status::Code(502),
        cloudflare: Status::Code(521),
        again: Again::After(5),
        meaning: "The origin's machine answered at once that nothing accepts connections on this port.",
        says: "Nothing accepts connections on {next_hop}.",
        remedy: "Start the service, or correct the port in upstream `{upstream}`.",
        details: "nothing accepts connections on this port",
        proof: &[Key::Errno],
        elsewhere: &[("nginx", "connect() failed (111: Connection refused) while connecting to upstream"), ("Envoy", "503, UF"), ("HAProxy", "503, SC"), ("AWS ALB", "502"), ("Cloudflare", "521"), ("Caddy, Traefik", "502, connect: connection refused")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Connect, Fault::Refused))),
        witness: || witness::attempted(witness::origin(Phase::Connect, Fault::Refused).with(Key::Errno, "ECONNREFUSED")),
    };
    CONNECT_RESET = Row {
        id: "connect_reset",
        party: Party::Network,
        phase: Phase::Connect,
        error: Some(ErrorType::ConnectionRefused),
        standard: Status::Code(502),
        cloudflare: Status::Code(521),
        again: Again::After(5),
        meaning: "Something broke off the attempt to connect, other than a plain refusal by the origin.",
        says: "The attempt to connect to {next_hop} was broken off by something on the way[ ({errno})].",
        remedy: "Look for a firewall or load balancer between this proxy and the origin that cuts connections off.",
        details: "connecting was broken off[ ({errno})]",
        proof: &[Key::Errno],
        elsewhere: &[("nginx", "connect() failed (104: Connection reset by peer)"), ("Envoy", "503, UF"), ("HAProxy", "503, SC"), ("AWS ALB", "502")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Connect, Fault::Reset | Fault::Closed))),
        witness: || witness::attempted(witness::origin(Phase::Connect, Fault::Reset).with(Key::Errno, "ECONNRESET")),
    };
    CONNECT_UNROUTABLE = Row {
        id: "connect_unroutable",
        party: Party::Network,
        phase: Phase::Connect,
        error: Some(ErrorType::DestinationIpUnroutable),
        standard: Status::Code(502),
        cloudflare: Status::Code(523),
        again: Again::After(5),
        meaning: "There is no way from this machine to the origin's address: no route, or a router on the way says that it cannot go on.",
        says: "No way leads from here to {next_hop}[ ({errno})].",
        remedy: "Check the address, and the routes from this machine to it (`ip route get`); for IPv6, whether this machine has IPv6 at all.",
        details: "no way to this address[ ({errno})]",
        proof: &[Key::Errno],
        elsewhere: &[("nginx", "connect() failed (113: No route to host) while connecting to upstream"), ("Envoy", "503, UF"), ("HAProxy", "503, SC"), ("Cloudflare", "523"), ("Caddy, Traefik", "connect: no route to host")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::Unroutable))),
        witness: || witness::attempted(witness::origin(Phase::Connect, Fault::Unroutable).with(Key::Errno, "EHOSTUNREACH")),
    };
    CONNECT_QUEUE_FULL = Row {
        id: "connect_queue_full",
        party: Party::Origin,
        phase: Phase::Connect,
        error: Some(ErrorType::ConnectionTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(522),
        again: Again::After(5),
        meaning: "The connection was not accepted in time while others to the same address were: the service takes connections more slowly than they come.",
        says: "{next_hop} accepts connections, but not this one[ within {limit_ms}]: more are waiting than it takes.",
        remedy: "Give the service more workers or more machines, or a longer queue (its `listen` backlog, and `net.core.somaxconn`).",
        details: "not accepted[ within {limit_ms}], while[ {accepted_meanwhile}] others were",
        proof: &[Key::AcceptedMeanwhile],
        elsewhere: &[("nginx", "upstream timed out (110: Connection timed out) while connecting to upstream"), ("Envoy", "503, UF"), ("HAProxy", "503, sC"), ("Cloudflare", "522"), ("AWS ALB", "504")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Connect, Fault::TimedOut)))
            && (s.has(Key::AcceptedMeanwhile) || s.number(Key::LastSuccessMs).is_some_and(|ms| ms <= LATELY)),
        witness: || witness::attempted(
            witness::origin(Phase::Connect, Fault::TimedOut)
                .with(Key::LimitMs, 5_000_u64).with(Key::AcceptedMeanwhile, 12_u64).with(Key::LastSuccessMs, 40_u64),
        ),
    };
    CONNECT_TIMEOUT = Row {
        id: "connect_timeout",
        party: Party::Network,
        phase: Phase::Connect,
        error: Some(ErrorType::ConnectionTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(522),
        again: Again::After(5),
        meaning: "Nothing answered the attempt to connect. A firewall that drops it and a machine that is down look the same from here; only an answer from that machine by another way tells them apart.",
        says: "Nothing answered at {next_hop}[ within {limit_ms}].",
        remedy: "Check that the machine is up, that the address is right, and that no firewall between here and there drops connections to this port[; `{setting}` holds the limit].",
        details: "no answer to connecting[ within {limit_ms}]",
        proof: &[Key::LimitMs, Key::Retransmits, Key::SilentLately],
        elsewhere: &[("nginx", "upstream timed out (110: Connection timed out) while connecting to upstream"), ("Envoy", "503, UF"), ("HAProxy", "503, sC"), ("Cloudflare", "522"), ("AWS ALB", "504"), ("Caddy, Traefik", "dial tcp …: i/o timeout")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Connect, Fault::TimedOut))),
        witness: || witness::attempted(
            witness::origin(Phase::Connect, Fault::TimedOut)
                .with(Key::LimitMs, 5_000_u64).with(Key::Setting, "timeouts.connect")
                .with(Key::Retransmits, 2_u64).with(Key::SilentLately, 3_u64),
        ),
    };
}

/// The same cause where connecting ran out of time: another error type and status.
pub(in crate::attribution) static DNS_STALE_ADDRESS_TIMED_OUT: Row =
    stale(ErrorType::ConnectionTimeout, Status::Code(504), Status::Code(522));

const fn stale(error: ErrorType, standard: Status, cloudflare: Status) -> Row {
    Row {
        id: "dns_stale_address",
        party: Party::Proxy,
        phase: Phase::Connect,
        error: Some(error),
        standard,
        cloudflare,
        again: Again::Now,
        meaning: "This proxy used an address that the origin's name no longer has, and could not connect to it.",
        says: "{next_hop} could not be reached, and the origin's name no longer has that address[ (the answer used was {answer_age_ms} old)].",
        remedy: "The fresh address is used from now on. If this is frequent, lower the time that the zone lets answers be kept, before addresses move.",
        details: "the address used is out of date[ by up to {answer_age_ms}]",
        proof: &[Key::AddressGone, Key::AnswerAgeMs],
        elsewhere: &[
            ("nginx", "keeps the addresses found at start unless a resolver is set"),
            ("Cloudflare", "521 or 522"),
        ],
        when: is_stale,
        witness: || {
            witness::attempted(
                witness::origin(Phase::Connect, Fault::Refused)
                    .with(Key::Name, "api.internal")
                    .with(Key::AddressGone, true)
                    .with(Key::AnswerAgeMs, 300_000_u64),
            )
        },
    }
}

fn is_stale(scene: &Scene<'_>) -> bool {
    let failed = matches!(
        scene.at(Side::Origin),
        Some((Phase::Connect, Fault::Refused | Fault::Reset | Fault::Unroutable | Fault::TimedOut))
    );
    failed && scene.has(Key::AddressGone)
}
