//! The body of the origin's answer, and the ways in which HTTP/2 ends one early.

use super::{Again, Cause, ErrorType, Fault, Key, Party, Phase, Row, Side, Status, rows, witness};

rows! {
    TUNNEL_BROKEN = Row {
        id: "tunnel_broken",
        party: Party::Origin,
        phase: Phase::Receive,
        error: Some(ErrorType::ConnectionTerminated),
        standard: Status::Abort,
        cloudflare: Status::Abort,
        again: Again::Now,
        meaning: "After the protocol had been changed, such as to WebSocket, the origin broke the connection off hard instead of closing it in good order.",
        says: "{next_hop} broke the connection off after the protocol had been changed[; {received} had come].",
        remedy: "Look into the origin's log at this time for a crash or a restart; what the two ends said to each other, this proxy does not read.",
        details: "connection broken off after the protocol change[ ({left})][, {received} received]",
        proof: &[Key::Received, Key::Left],
        elsewhere: &[("browsers", "WebSocket close code 1006"), ("nginx", "recv() failed (104: Connection reset by peer) while proxying upgraded connection"), ("HAProxy", "SD")],
        when: |s| s.exchange.upstream_status == Some(101)
            && matches!(s.at(Side::Origin), Some((Phase::Receive | Phase::Respond, Fault::Closed | Fault::Reset | Fault::Truncated))),
        witness: || {
            let failure = witness::origin(Phase::Receive, Fault::Truncated);
            let mut exchange = witness::attempted(failure.with(Key::Received, 512_u64));
            exchange.upstream_status = Some(101);
            exchange
        },
    };
    RESPONSE_TRUNCATED = Row {
        id: "response_truncated",
        party: Party::Origin,
        phase: Phase::Receive,
        error: Some(ErrorType::HttpResponseIncomplete),
        standard: Status::Abort,
        cloudflare: Status::Abort,
        again: Again::After(5),
        meaning: "The origin began its answer and closed the connection before the body was complete; the client's connection was broken off as well, so that nobody takes the piece for the whole.",
        says: "{next_hop} broke off in the middle of the answer[: {received} came][ of {expected}].",
        remedy: "Look into the origin's log at this time for a crash, a restart, or a time limit of its own.",
        details: "response incomplete[: {received}][ of {expected}][ ({left})]",
        proof: &[Key::Received, Key::Left],
        elsewhere: &[("nginx", "upstream prematurely closed connection while reading upstream"), ("Envoy", "UC after the status was sent"), ("HAProxy", "SD"), ("Go (Caddy, Traefik)", "unexpected EOF")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Receive | Phase::Respond, Fault::Closed | Fault::Reset | Fault::Truncated))),
        witness: || witness::attempted(
            witness::origin(Phase::Receive, Fault::Truncated).with(Key::Received, 512_u64).with(Key::Expected, 1_000_u64),
        ),
    };
    RESPONSE_STALLED = Row {
        id: "response_stalled",
        party: Party::Origin,
        phase: Phase::Receive,
        error: Some(ErrorType::ConnectionReadTimeout),
        standard: Status::Abort,
        cloudflare: Status::Abort,
        again: Again::After(5),
        meaning: "The origin began its answer and then stopped sending for as long as the read limit allows.",
        says: "{next_hop} stopped in the middle of the answer for {limit_ms}[; {received} had come][ of {expected}].",
        remedy: "Find out what the origin waits for in the middle of an answer[; if such pauses are normal (a stream of events), raise `{setting}` for this route].",
        details: "response stalled for {limit_ms}[ after {received}]",
        proof: &[Key::LimitMs, Key::Received],
        elsewhere: &[("nginx", "upstream timed out (110) while reading upstream"), ("Envoy", "SI or UT after the status was sent"), ("HAProxy", "sD")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Receive | Phase::Respond, Fault::TimedOut | Fault::Stalled))),
        witness: || witness::attempted(
            witness::origin(Phase::Receive, Fault::Stalled)
                .with(Key::LimitMs, 60_000_u64).with(Key::Setting, "timeouts.read").with(Key::Received, 512_u64),
        ),
    };
    RESPONSE_DEADLINE = Row {
        id: "response_deadline",
        party: Party::Origin,
        phase: Phase::Receive,
        error: Some(ErrorType::HttpResponseTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(524),
        again: Again::Never,
        meaning: "The whole answer took longer than the limit for it, although it was still coming.",
        says: "The answer of {next_hop} was not complete within {limit_ms}[; {received} had come].",
        remedy: "Find out why the answer takes so long[; if it honestly does, raise `{setting}`].",
        details: "response not complete within {limit_ms}[, {received} so far]",
        proof: &[Key::LimitMs, Key::Setting],
        elsewhere: &[("Envoy", "504, UT or DT"), ("HAProxy", "sD")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Send | Phase::Wait | Phase::Receive | Phase::Respond, Fault::Deadline))),
        witness: || witness::attempted(
            witness::origin(Phase::Receive, Fault::Deadline)
                .with(Key::LimitMs, 120_000_u64).with(Key::Setting, "timeouts.response").with(Key::Received, 512_u64),
        ),
    };
    RESPONSE_BAD_TRANSFER_CODING = Row {
        id: "response_bad_transfer_coding",
        party: Party::Origin,
        phase: Phase::Receive,
        error: Some(ErrorType::HttpResponseTransferCoding),
        standard: Status::Abort,
        cloudflare: Status::Abort,
        again: Again::Never,
        meaning: "The origin sends its answer in chunks, and a chunk is broken: where the body ends can no longer be known.",
        says: "{next_hop} sent a broken chunk in the body of its answer[, after {received}].",
        remedy: "Correct the origin, or whatever stands before it and rewrites bodies.",
        details: "broken chunked coding[ after {received}]",
        proof: &[Key::Received],
        elsewhere: &[("nginx", "upstream sent invalid chunked response"), ("Envoy", "UPE"), ("HAProxy", "PD"), ("Go (Caddy, Traefik)", "invalid byte in chunk length")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::TransferCoding))),
        witness: || witness::attempted(
            witness::origin(Phase::Receive, Fault::TransferCoding).with(Key::Received, 512_u64).with(Key::Coding, "chunked"),
        ),
    };
    RESPONSE_BAD_CONTENT_CODING = Row {
        id: "response_bad_content_coding",
        party: Party::Origin,
        phase: Phase::Receive,
        error: Some(ErrorType::HttpResponseContentCoding),
        standard: Status::Abort,
        cloudflare: Status::Abort,
        again: Again::Never,
        meaning: "The body of the origin's answer is not compressed in the way that its header says.",
        says: "The body that {next_hop} sent cannot be decompressed[ as {coding}].",
        remedy: "Correct `Content-Encoding` at the origin: it must name what was done to the body, once.",
        details: "broken content coding[ after {received}]",
        proof: &[Key::Coding],
        elsewhere: &[("nginx", "inflate() failed"), ("browsers", "ERR_CONTENT_DECODING_FAILED")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::ContentCoding))),
        witness: || witness::attempted(witness::origin(Phase::Receive, Fault::ContentCoding).with(Key::Coding, "gzip")),
    };
    RESPONSE_BODY_TOO_LARGE = Row {
        id: "response_body_too_large",
        party: Party::Origin,
        phase: Phase::Receive,
        error: Some(ErrorType::HttpResponseBodySize),
        standard: Status::CodeOrAbort(502),
        cloudflare: Status::CodeOrAbort(502),
        again: Again::Never,
        meaning: "The body of the origin's answer is larger than this proxy allows.",
        says: "The body of the answer of {next_hop} is too large[: {size}][, and {limit} are allowed].",
        remedy: "Make the answer smaller, or send it in parts[; if answers of this size are wanted, raise `{setting}`].",
        details: "response body too large[: {size}][, limit {limit}][ ({setting})]",
        proof: &[Key::Size, Key::Limit],
        elsewhere: &[("Envoy", "500 from the buffer filter, response_payload_too_large"), ("AWS ALB", "502 for a Lambda answer over 1 MB")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::BodyTooLarge))),
        witness: || witness::attempted(
            witness::origin(Phase::Receive, Fault::BodyTooLarge)
                .with(Key::Size, 2_000_000_u64).with(Key::Limit, 1_048_576_u64).with(Key::Setting, "limits.response_body"),
        ),
    };
    H2_STREAM_RESET = Row {
        id: "h2_stream_reset",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::HttpProtocolError),
        standard: Status::CodeOrAbort(502),
        cloudflare: Status::CodeOrAbort(520),
        again: Again::Now,
        meaning: "The origin broke off this one request of an HTTP/2 connection. Code 7 means that it had not begun to act on it, so that sending it again does no harm.",
        says: "{next_hop} broke this request off with HTTP/2 error code {error_code}.",
        remedy: "Look into the origin's log at this time; code 7 means too many requests at once, 2 a fault within the origin, 8 that it gave the request up.",
        details: "HTTP/2 stream reset, code {error_code}",
        proof: &[Key::ErrorCode],
        elsewhere: &[("Envoy", "503, UR"), ("nginx", "upstream rejected request with error … (gRPC)"), ("Go (Caddy, Traefik)", "stream error: stream ID …; INTERNAL_ERROR")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::StreamReset(_)))),
        witness: || witness::attempted(witness::origin(Phase::Wait, Fault::StreamReset(2))),
    };
    H2_GOAWAY = Row {
        id: "h2_goaway",
        party: Party::Origin,
        phase: Phase::Wait,
        error: Some(ErrorType::ConnectionTerminated),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::Now,
        meaning: "The origin ended the HTTP/2 connection that carried the request. Code 0 means in good order, as before a restart.",
        says: "{next_hop} ended the HTTP/2 connection with error code {error_code}[; the last request it answers is {last_stream}].",
        remedy: "With code 0, let the origin finish what it has taken on before it stops; with another, look into its log at this time.",
        details: "HTTP/2 connection ended, code {error_code}",
        proof: &[Key::ErrorCode],
        elsewhere: &[("nginx", "upstream sent goaway with error … (gRPC)"), ("Envoy", "503, UC or UR"), ("Go (Caddy, Traefik)", "http2: server sent GOAWAY and closed the connection")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::GoAway(_)))),
        witness: || witness::attempted(witness::origin(Phase::Wait, Fault::GoAway(0))),
    };
}
