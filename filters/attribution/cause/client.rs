//! What the client did, or failed to do.

use super::{
    Again, Cause, ErrorType, Failure, Fault, Key, Party, Phase, Row, Scene, Side, Status,
    by_denial, rows, witness,
};

/// Whether any of these rows can be the verdict.
pub(super) fn concern(scene: &Scene<'_>) -> bool {
    scene.at(Side::Client).is_some()
}

rows! {
    CLIENT_PLAIN_HTTP_ON_TLS_PORT = Row {
        id: "client_plain_http_on_tls_port",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(400),
        cloudflare: Status::Code(400),
        again: Again::Never,
        meaning: "The client spoke plain HTTP to a port where this proxy expects TLS.",
        says: "The client sent plain HTTP to a port that expects TLS.",
        remedy: "Ask for the same address with `https://` instead of `http://`.",
        details: "plain HTTP on a TLS port",
        proof: &[Key::LooksLike],
        elsewhere: &[("nginx", "497, sent as 400: The plain HTTP request was sent to HTTPS port"), ("Go (Caddy, Traefik)", "Client sent an HTTP request to an HTTPS server.")],
        when: |s| matches!(s.at(Side::Client), Some((_, Fault::TlsNotTls))) && s.looks_like("HTTP"),
        witness: || witness::ended(witness::client(Phase::Request, Fault::TlsNotTls).with(Key::LooksLike, "HTTP/1.1")),
    };
    CLIENT_TLS_FAILED = Row {
        id: "client_tls_failed",
        party: Party::Client,
        phase: Phase::Request,
        error: None,
        standard: Status::Log(None),
        cloudflare: Status::Log(None),
        again: Again::Never,
        meaning: "The client and this proxy could not agree on a TLS connection; no request was ever read.",
        says: "The client could not set up a TLS connection with this proxy[: {rule}].",
        remedy: "Check the certificate and the TLS versions that the listener offers against what the client trusts and speaks[ (it offered {versions})][ (it asked for `{sni}`)].",
        details: "TLS with the client failed",
        proof: &[Key::Rule],
        elsewhere: &[("nginx", "SSL_do_handshake() failed while SSL handshaking, client: …"), ("HAProxy", "SSL handshake failure")],
        when: |s| match s.at(Side::Client) {
            Some((phase, fault)) => match fault {
                Fault::TlsAlert(_) | Fault::TlsNotTls | Fault::TlsHandshake | Fault::Certificate(_) | Fault::Alpn => true,
                Fault::TimedOut | Fault::Closed | Fault::Reset => phase == Phase::Tls,
                _ => false,
            },
            None => false,
        },
        witness: || witness::ended(witness::client(Phase::Request, Fault::TlsHandshake).with(Key::Rule, "no shared version")),
    };
    CLIENT_REQUEST_AMBIGUOUS = Row {
        id: "client_request_ambiguous",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(400),
        cloudflare: Status::Code(400),
        again: Again::Never,
        meaning: "Two readers of this request could disagree on where it ends or whom it is for; it is refused, because such a difference lets one request hide in another.",
        says: "The request can be read in two ways[: {rule}].",
        remedy: "Correct the client, or whatever stands between it and this proxy: the request must state its length and its host once, and its path in plain form.",
        details: "ambiguous request[: {rule}]",
        proof: &[Key::Rule],
        elsewhere: &[("nginx", "400, client sent invalid header"), ("Envoy", "DPE"), ("AWS ALB", "400; classification Ambiguous or Severe")],
        when: |s| matches!(s.at(Side::Client), Some((_, Fault::Framing))),
        witness: || witness::ended(witness::client(Phase::Request, Fault::Framing).with(Key::Rule, "content-length with transfer-encoding")),
    };
    CLIENT_REQUEST_MALFORMED = Row {
        id: "client_request_malformed",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(400),
        cloudflare: Status::Code(400),
        again: Again::Never,
        meaning: "What the client sent is not a valid HTTP request.",
        says: "The client sent something that is not a valid HTTP request[: {rule}][, {offset} bytes in][; it looks like {looks_like}].",
        remedy: "Correct the client; the rule that it broke[ ({rule})] stands in the record.",
        details: "malformed request[: {rule}][, at byte {offset}][, looks like {looks_like}]",
        proof: &[Key::Rule, Key::Offset],
        elsewhere: &[("nginx", "400, client sent invalid request"), ("HAProxy", "400 <BADREQ>, termination state PR"), ("Envoy", "DPE"), ("AWS ALB", "400")],
        when: |s| matches!(s.at(Side::Client), Some((_, Fault::Malformed | Fault::TransferCoding | Fault::ContentCoding | Fault::Upgrade))),
        witness: || witness::ended(
            witness::client(Phase::Request, Fault::Malformed).with(Key::Rule, "space in a field name").with(Key::Offset, 17_u64),
        ),
    };
    CLIENT_HEADER_TOO_LARGE = Row {
        id: "client_header_too_large",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(431),
        cloudflare: Status::Code(431),
        again: Again::Never,
        meaning: "The header section of the request is larger, or has more fields, than this proxy allows.",
        says: "The request's header section is too large[: {size} or more, and {limit} are allowed][: {count} fields or more, and {max_count} are allowed].",
        remedy: "Make the request's header smaller[ (the largest field is `{field}`)]; old cookies are the usual reason.[ If it has to be that large, raise `{setting}`.]",
        details: "request header too large[: {size}, limit {limit}][: {count} fields, limit {max_count}][ ({setting})]",
        proof: &[Key::Setting],
        elsewhere: &[("nginx", "494, sent as 400: Request Header Or Cookie Too Large"), ("Envoy", "431"), ("HAProxy", "400, termination state PR"), ("Caddy", "431")],
        when: |s| matches!(s.at(Side::Client), Some((_, Fault::HeaderTooLarge | Fault::HeaderLineTooLarge))),
        witness: || witness::ended(
            witness::client(Phase::Request, Fault::HeaderTooLarge)
                .with(Key::Size, 40_000_u64).with(Key::Limit, 32_768_u64)
                .with(Key::Setting, "limits.request_header").with(Key::Field, "cookie"),
        ),
    };
    CLIENT_URI_TOO_LONG = Row {
        id: "client_uri_too_long",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(414),
        cloudflare: Status::Code(414),
        again: Again::Never,
        meaning: "The address asked for is longer than this proxy allows.",
        says: "The address asked for is too long: {size} or more, and {limit} are allowed.",
        remedy: "Send what the address carries in the request's body instead[; if it has to be that long, raise `{setting}`].",
        details: "request address too long[: {size}, limit {limit}][ ({setting})]",
        proof: &[Key::Size, Key::Limit, Key::Setting],
        elsewhere: &[("nginx", "414, client sent too long URI"), ("AWS ALB", "414")],
        when: by_denial,
        witness: || witness::ended(
            Failure::denied(&CLIENT_URI_TOO_LONG)
                .with(Key::Size, 40_000_u64).with(Key::Limit, 32_768_u64).with(Key::Setting, "limits.request_uri"),
        ),
    };
    CLIENT_BODY_TOO_LARGE = Row {
        id: "client_body_too_large",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(413),
        cloudflare: Status::Code(413),
        again: Again::Never,
        meaning: "The body of the request is larger than this proxy allows, by what the client declared or by what it sent.",
        says: "The request's body is too large: {size}, and {limit} are allowed.",
        remedy: "Send less, or in parts[; if bodies of this size are wanted, raise `{setting}`].",
        details: "request body too large[: {size}, limit {limit}][ ({setting})]",
        proof: &[Key::Size, Key::Limit, Key::Setting],
        elsewhere: &[("nginx", "413, client intended to send too large body"), ("Envoy", "413"), ("Caddy", "413")],
        when: |s| matches!(s.at(Side::Client), Some((_, Fault::BodyTooLarge))),
        witness: || witness::ended(
            witness::client(Phase::Request, Fault::BodyTooLarge)
                .with(Key::Size, 2_000_000_u64).with(Key::Limit, 1_048_576_u64).with(Key::Setting, "limits.request_body"),
        ),
    };
    CLIENT_METHOD_REFUSED = Row {
        id: "client_method_refused",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(405),
        cloudflare: Status::Code(405),
        again: Again::Never,
        meaning: "This proxy does not forward requests with this method (TRACE, CONNECT).",
        says: "This proxy does not forward {method} requests.",
        remedy: "Use another method; the answer's `Allow` field lists those that are forwarded.",
        details: "method not forwarded",
        proof: &[Key::Method],
        elsewhere: &[("nginx", "405, client sent CONNECT or TRACE method"), ("AWS ALB", "405 for TRACE")],
        when: by_denial,
        witness: || witness::ended(Failure::denied(&CLIENT_METHOD_REFUSED).with(Key::Method, "TRACE")),
    };
    CLIENT_PROXY_PROTOCOL_INVALID = Row {
        id: "client_proxy_protocol_invalid",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(400),
        cloudflare: Status::Code(400),
        again: Again::Never,
        meaning: "A proxy in front of this one did not begin its connection as the listener demands of it: with a header of the PROXY protocol, which tells whose connection it is.",
        says: "The connection does not begin with a valid PROXY protocol header: {rule}[; it looks like {looks_like}].",
        remedy: "Let the proxy at the other end send the PROXY protocol (version 1 or 2) to this listener. Or, if it is none, set `proxy_protocol: false` for the listener, or take that address out of `forwarded.trusted`.",
        details: "no valid PROXY protocol header[: {rule}][, looks like {looks_like}]",
        proof: &[Key::Rule],
        elsewhere: &[("nginx", "broken header while reading PROXY protocol"), ("HAProxy", "Received something which does not look like a PROXY protocol header"), ("Envoy", "failed to read proxy protocol")],
        when: by_denial,
        witness: || witness::ended(
            Failure::denied(&CLIENT_PROXY_PROTOCOL_INVALID).with(Key::Rule, "no PROXY protocol header").with(Key::LooksLike, "HTTP"),
        ),
    };
    CLIENT_SLOW_READER = Row {
        id: "client_slow_reader",
        party: Party::Client,
        phase: Phase::Respond,
        error: None,
        standard: Status::Log(None),
        cloudflare: Status::Log(None),
        again: Again::Never,
        meaning: "The client stopped reading the answer, which was broken off when the limit ran out.",
        says: "The client stopped reading the answer[ for {limit_ms}][, with {written} of {expected} written].",
        remedy: "Look at the client and its connection: the answer was there and nobody took it[; `{setting}` holds the limit].",
        details: "client stopped reading",
        proof: &[Key::SendWindow],
        elsewhere: &[("nginx", "client timed out (110) while sending to client"), ("HAProxy", "cD")],
        when: |s| matches!(s.at(Side::Client), Some((Phase::Receive | Phase::Respond, Fault::TimedOut | Fault::Stalled | Fault::Deadline))),
        witness: || witness::ended(
            witness::client(Phase::Respond, Fault::TimedOut).with(Key::SendWindow, 0_u64).with(Key::LimitMs, 30_000_u64),
        ),
    };
    CLIENT_SLOW = Row {
        id: "client_slow",
        party: Party::Client,
        phase: Phase::Request,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(408),
        cloudflare: Status::Code(408),
        again: Again::Now,
        meaning: "The client did not send the whole request in time. A stalled upload is the client's doing even when it is the wait for the origin that runs out.",
        says: "The client did not send the request's {part} within {limit_ms}[; {bytes_so_far} had come].",
        remedy: "Look at the client and its connection[; if it honestly needs longer, raise `{setting}`].",
        details: "client too slow[: {part} not complete after {limit_ms}][, {bytes_so_far} so far]",
        proof: &[Key::Part, Key::BytesSoFar, Key::LimitMs],
        elsewhere: &[("nginx", "408, client timed out while reading client request headers"), ("HAProxy", "408, cR"), ("Envoy", "408, DT or SI"), ("AWS ALB", "408")],
        when: |s| matches!(s.at(Side::Client), Some((_, Fault::TimedOut | Fault::Stalled | Fault::Deadline))),
        witness: || witness::ended(
            witness::client(Phase::Request, Fault::TimedOut)
                .with(Key::Part, "header").with(Key::BytesSoFar, 31_u64)
                .with(Key::LimitMs, 10_000_u64).with(Key::Setting, "timeouts.request_header"),
        ),
    };
    CLIENT_ABORTED = Row {
        id: "client_aborted",
        party: Party::Client,
        phase: Phase::Wait,
        error: None,
        standard: Status::Log(Some(499)),
        cloudflare: Status::Log(Some(499)),
        again: Again::Never,
        meaning: "The client went away before there was an outcome. Whatever broke afterwards is a consequence.",
        says: "The client went away[ after {waited_ms}], before the answer was complete (phase {during}).",
        remedy: "Nothing is known to be broken here: a user left, or the client's own time limit is shorter than the answer takes. If this is frequent, compare that limit with how long this path takes.",
        details: "client went away[ after {waited_ms}] (phase {during})",
        proof: &[Key::Left, Key::WaitedMs, Key::During],
        elsewhere: &[("nginx", "499"), ("Envoy", "DC"), ("HAProxy", "CH, CD or CR"), ("AWS ALB", "460"), ("Traefik", "499"), ("Caddy", "499")],
        when: |s| matches!(
            s.at(Side::Client),
            Some((_, Fault::Closed | Fault::Reset | Fault::Truncated | Fault::StreamReset(_) | Fault::GoAway(_)))
        ),
        witness: || witness::ended(witness::client(Phase::Wait, Fault::Closed).with(Key::WaitedMs, 3_000_u64)),
    };
}
