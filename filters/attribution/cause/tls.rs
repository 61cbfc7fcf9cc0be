//! Securing the connection to the origin; the certificates have a file of their own.

use super::{
    Again, Cause, ErrorType, Fault, Key, Party, Phase, Row, Scene, Side, Status, rows, witness,
};

pub use super::certificate::*;

/// Whether any of these rows can be the verdict.
pub(super) fn concern(scene: &Scene<'_>) -> bool {
    matches!(
        scene.at(Side::Origin),
        Some(
            (Phase::Tls, _)
                | (
                    _,
                    Fault::TlsNotTls
                        | Fault::TlsHandshake
                        | Fault::TlsAlert(_)
                        | Fault::Alpn
                        | Fault::Malformed
                        | Fault::Closed
                        | Fault::Reset
                )
        )
    )
}

rows! {
    TLS_PEER_NOT_TLS = Row {
        id: "tls_peer_not_tls",
        party: Party::Proxy,
        phase: Phase::Tls,
        error: Some(ErrorType::TlsProtocolError),
        standard: Status::Code(502),
        cloudflare: Status::Code(525),
        again: Again::Never,
        meaning: "This proxy is set to speak TLS to a port that answers in something else.",
        says: "{next_hop} does not speak TLS[; its first bytes look like {looks_like}].",
        remedy: "Take `tls` out of upstream `{upstream}`, or give the port at which the origin does speak TLS.",
        details: "the port does not speak TLS[ but what looks like {looks_like}]",
        proof: &[Key::FirstBytes],
        elsewhere: &[("nginx", "SSL_do_handshake() failed (… wrong version number) while SSL handshaking to upstream"), ("Envoy", "503, UF: WRONG_VERSION_NUMBER"), ("Cloudflare", "525"), ("Go (Caddy, Traefik)", "first record does not look like a TLS handshake")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::TlsNotTls))),
        witness: || witness::attempted(
            witness::origin(Phase::Tls, Fault::TlsNotTls).with(Key::FirstBytes, "HTTP/1.1 400").with(Key::LooksLike, "HTTP/1.1"),
        ),
    };
    ORIGIN_EXPECTS_TLS = Row {
        id: "origin_expects_tls",
        party: Party::Proxy,
        phase: Phase::Wait,
        error: Some(ErrorType::HttpProtocolError),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::Never,
        meaning: "This proxy is set to speak plain HTTP to a port that speaks TLS.",
        says: "{next_hop} speaks TLS, and this proxy is set to speak plain HTTP to it.",
        remedy: "Add a `tls` section to upstream `{upstream}`, or give the port at which the origin speaks plain HTTP.",
        details: "the port speaks TLS",
        proof: &[Key::FirstBytes],
        elsewhere: &[("nginx behind it", "400, The plain HTTP request was sent to HTTPS port"), ("Envoy", "503, UPE"), ("Go (Caddy, Traefik)", "malformed HTTP response \"\\x15\\x03…\"")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Send | Phase::Wait | Phase::Receive, Fault::Malformed))) && s.looks_like("TLS"),
        witness: || witness::attempted(
            witness::origin(Phase::Wait, Fault::Malformed).with(Key::FirstBytes, "\\x15\\x03\\x01").with(Key::LooksLike, "TLS alert"),
        ),
    };
    TLS_CLIENT_CERTIFICATE_REQUIRED = Row {
        id: "tls_client_certificate_required",
        party: Party::Proxy,
        phase: Phase::Tls,
        error: Some(ErrorType::TlsAlertReceived),
        standard: Status::Code(502),
        cloudflare: Status::Code(525),
        again: Again::Never,
        meaning: "The origin demands a certificate from this proxy, and got none or one that it does not accept. Under TLS 1.3 it says so only after the connection looks complete.",
        says: "{next_hop} demands a certificate from this proxy and did not get one that it accepts.",
        remedy: "Set `tls.client_cert` and `tls.client_key` in upstream `{upstream}`; if they are set, check that the origin trusts who issued them.",
        details: "client certificate required[ (alert {alert_id})]",
        proof: &[Key::AlertId],
        elsewhere: &[("nginx behind it", "496 or 495, sent as 400: No required SSL certificate was sent"), ("Envoy", "503, UF: CERTIFICATE_REQUIRED"), ("Go (Caddy, Traefik)", "remote error: tls: certificate required")],
        when: |s| match s.at(Side::Origin) {
            Some((_, Fault::TlsAlert(116))) => true,
            // Bad, unsupported, revoked, expired, unknown, from an unknown issuer, not permitted.
            Some((_, Fault::TlsAlert(40 | 42..=46 | 48 | 49))) => s.has(Key::CertificateRequested),
            // The last word may get lost: a machine that resets a connection throws it away.
            Some((Phase::Send | Phase::Wait, Fault::Closed | Fault::Reset)) => {
                s.has(Key::CertificateRequested)
                    && s.flag(Key::CertificateShown) == Some(false)
                    && s.number(Key::Received).unwrap_or(0) == 0
            }
            _ => false,
        },
        witness: || witness::attempted(witness::origin(Phase::Wait, Fault::TlsAlert(116))),
    };
    TLS_SNI_REJECTED = Row {
        id: "tls_sni_rejected",
        party: Party::Proxy,
        phase: Phase::Tls,
        error: Some(ErrorType::TlsAlertReceived),
        standard: Status::Code(502),
        cloudflare: Status::Code(525),
        again: Again::Never,
        meaning: "The origin does not know the server name that this proxy asked for when setting up TLS.",
        says: "{next_hop} does not know the server name that it was asked for[, `{sni}`].",
        remedy: "Set `tls.sni` of upstream `{upstream}` to a name that the origin serves.",
        details: "server name not known[ (alert {alert_id})]",
        proof: &[Key::AlertId, Key::Sni],
        elsewhere: &[("nginx", "SSL_do_handshake() failed (… tlsv1 unrecognized name) while SSL handshaking to upstream"), ("Cloudflare", "525"), ("Go (Caddy, Traefik)", "remote error: tls: unrecognized name")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::TlsAlert(112)))),
        witness: || witness::attempted(witness::origin(Phase::Tls, Fault::TlsAlert(112)).with(Key::Sni, "api.internal")),
    };
    ALPN_MISMATCH = Row {
        id: "alpn_mismatch",
        party: Party::Proxy,
        phase: Phase::Tls,
        error: Some(ErrorType::HttpUpgradeFailed),
        standard: Status::Code(502),
        cloudflare: Status::Code(520),
        again: Again::Never,
        meaning: "The configuration demands a protocol of the origin that it does not speak at this port.",
        says: "{next_hop} does not speak the protocol that the configuration demands[: asked for {offered}][, got {selected}].",
        remedy: "Set `protocol` of upstream `{upstream}` to `auto`, or to what the origin speaks.",
        details: "the origin does not speak the protocol demanded",
        proof: &[Key::Offered],
        elsewhere: &[("Envoy", "503, UF or UPE"), ("Go (Caddy, Traefik)", "http2: unexpected ALPN protocol")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::Alpn | Fault::TlsAlert(120)))),
        witness: || witness::attempted(
            witness::origin(Phase::Tls, Fault::Alpn).with(Key::Offered, "h2").with(Key::Selected, "http/1.1"),
        ),
    };
    TLS_ALERT_RECEIVED = Row {
        id: "tls_alert_received",
        party: Party::Origin,
        phase: Phase::Tls,
        error: Some(ErrorType::TlsAlertReceived),
        standard: Status::Code(502),
        cloudflare: Status::Code(525),
        again: Again::Never,
        meaning: "The origin broke the TLS connection off and sent the reason as a TLS alert.",
        says: "{next_hop} broke the TLS connection off with alert {alert_id}[ ({alert})].",
        remedy: "Look into the origin's log at this time; the alert says what it disliked[, and it was offered {versions}].",
        details: "TLS alert {alert_id}[ ({alert})]",
        proof: &[Key::AlertId],
        elsewhere: &[("nginx", "SSL_do_handshake() failed (… sslv3 alert handshake failure) while SSL handshaking to upstream"), ("Envoy", "503, UF: TLS error"), ("HAProxy", "503, SC"), ("Cloudflare", "525"), ("AWS ALB", "502"), ("Go (Caddy, Traefik)", "remote error: tls: …")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::TlsAlert(_)))),
        witness: || witness::attempted(witness::origin(Phase::Tls, Fault::TlsAlert(80))),
    };
    TLS_HANDSHAKE_FAILED = Row {
        id: "tls_handshake_failed",
        party: Party::Origin,
        phase: Phase::Tls,
        error: Some(ErrorType::TlsProtocolError),
        standard: Status::Code(502),
        cloudflare: Status::Code(525),
        again: Again::Never,
        meaning: "This proxy and the origin could not agree on a TLS connection: no version or cipher in common, or a broken message.",
        says: "TLS with {next_hop} could not be set up[: {rule}].",
        remedy: "Let the origin offer TLS 1.2 or 1.3 with current ciphers[; it was offered {versions}].",
        details: "TLS could not be set up",
        proof: &[Key::Rule],
        elsewhere: &[("nginx", "SSL_do_handshake() failed while SSL handshaking to upstream"), ("Envoy", "503, UF: TLS error"), ("HAProxy", "503, SC"), ("Cloudflare", "525"), ("AWS ALB", "502")],
        when: |s| matches!(s.at(Side::Origin), Some((_, Fault::TlsHandshake))),
        witness: || witness::attempted(witness::origin(Phase::Tls, Fault::TlsHandshake).with(Key::Rule, "no shared cipher")),
    };
    TLS_CLOSED = Row {
        id: "tls_closed",
        party: Party::Origin,
        phase: Phase::Tls,
        error: Some(ErrorType::ConnectionTerminated),
        standard: Status::Code(502),
        cloudflare: Status::Code(525),
        again: Again::After(5),
        meaning: "The origin closed the connection while TLS was being set up, without giving a reason.",
        says: "{next_hop} closed the connection while TLS was being set up[ ({left})].",
        remedy: "Look into the origin's log at this time; a port that does not speak TLS, a server name it does not serve, and a service about to stop are the usual reasons.",
        details: "closed while TLS was being set up[ ({left})]",
        proof: &[Key::Left],
        elsewhere: &[("nginx", "peer closed connection in SSL handshake while SSL handshaking to upstream"), ("Envoy", "503, UF"), ("HAProxy", "503, SC"), ("Cloudflare", "525"), ("AWS ALB", "502")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Tls, Fault::Closed | Fault::Reset | Fault::Refused | Fault::Truncated))),
        witness: || witness::attempted(witness::origin(Phase::Tls, Fault::Closed)),
    };
    TLS_TIMEOUT = Row {
        id: "tls_timeout",
        party: Party::Network,
        phase: Phase::Tls,
        error: Some(ErrorType::ConnectionTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(522),
        again: Again::After(5),
        meaning: "The connection was made, and then packets were lost while TLS was being set up, this proxy's or the origin's. A link that passes only smaller packets does this, and so does a machine that went down.",
        says: "{next_hop} accepted the connection, but TLS was not set up[ within {limit_ms}][, with {received} received][; {unacked} packets were not confirmed][; {out_of_order} came without one before them].",
        remedy: "Check that large packets pass between here and there (`ping -M do -s 1400`), and that the origin's machine is still up[; `{setting}` holds the limit].",
        details: "TLS not set up[ within {limit_ms}][, {unacked} packets unconfirmed]",
        proof: &[Key::LimitMs, Key::PacketsLost],
        elsewhere: &[("nginx", "upstream timed out (110) while SSL handshaking to upstream"), ("Envoy", "503, UF"), ("HAProxy", "503, sC"), ("Cloudflare", "522"), ("AWS ALB", "502"), ("Go (Caddy, Traefik)", "TLS handshake timeout")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Tls, Fault::TimedOut | Fault::Stalled)))
            && (s.has(Key::PacketsLost) || !s.has(Key::Acknowledged)),
        witness: || witness::attempted(
            witness::origin(Phase::Tls, Fault::TimedOut)
                .with(Key::LimitMs, 5_000_u64).with(Key::Setting, "timeouts.tls")
                .with(Key::Unacked, 1_u64).with(Key::PacketsLost, true),
        ),
    };
    TLS_STALLED = Row {
        id: "tls_stalled",
        party: Party::Origin,
        phase: Phase::Tls,
        error: Some(ErrorType::ConnectionTimeout),
        standard: Status::Code(504),
        cloudflare: Status::Code(522),
        again: Again::After(5),
        meaning: "The origin's machine confirmed all that this proxy sent to set up TLS, and the service behind the port did not go on: it hangs, has too few workers, or waits for something other than TLS.",
        says: "{next_hop} accepted the connection and confirmed what was sent to set up TLS, but did not answer it[ within {limit_ms}][; {received} were received].",
        remedy: "Find out whether the service at that port speaks TLS, and why it does not go on[; `{setting}` holds the limit]. If it does go on, large packets of its answer may be lost on the way (`ping -M do -s 1400`).",
        details: "TLS not answered[ within {limit_ms}][, {received} received]",
        proof: &[Key::LimitMs, Key::Acknowledged, Key::LastSuccessMs],
        elsewhere: &[("nginx", "upstream timed out (110) while SSL handshaking to upstream"), ("Envoy", "503, UF"), ("HAProxy", "503, sC"), ("Cloudflare", "522"), ("Go (Caddy, Traefik)", "TLS handshake timeout")],
        when: |s| matches!(s.at(Side::Origin), Some((Phase::Tls, Fault::TimedOut | Fault::Stalled))),
        witness: || witness::attempted(
            witness::origin(Phase::Tls, Fault::TimedOut)
                .with(Key::LimitMs, 5_000_u64).with(Key::Setting, "timeouts.tls")
                .with(Key::Acknowledged, true).with(Key::LastSuccessMs, 2_000_u64),
        ),
    };
}
