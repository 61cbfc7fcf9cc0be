//! TLS where it is not expected, and the other way round. The records are RFC 8446 section 5.1's:
//! type, version, length; an alert (21) is its level and its number.

use super::{Fault, Needs};
use crate::lab::script::Step;
use crate::lab::script::Step::{Hang, Hear, Send};
use crate::lab::wire::After::Reset;

const TLS: &[Needs] = &[Needs::Tls];

const UNEXPECTED_MESSAGE: &[u8] = b"\x15\x03\x01\x00\x02\x02\x0a";
const HANDSHAKE_FAILURE: &[u8] = b"\x15\x03\x03\x00\x02\x02\x28";
const UNRECOGNIZED_NAME: &[u8] = b"\x15\x03\x03\x00\x02\x02\x70";
const CERTIFICATE_REQUIRED: &[u8] = b"\x15\x03\x03\x00\x02\x02\x74";

pub(super) const ROWS: &[Fault] = &[
    Fault::port(
        "expects-tls-alert",
        "Speaks TLS only, and meets plain HTTP with an alert record.",
        "origin_expects_tls",
        &[Hear, Send(UNEXPECTED_MESSAGE)],
    ),
    Fault::port(
        "expects-tls-text",
        "Speaks TLS only, and meets plain HTTP with a 400 that says so, as Go's server does.",
        "origin_expects_tls",
        &[
            Hear,
            Send(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"),
        ],
    ),
    Fault::port(
        "expects-tls-page",
        "Speaks TLS only, and meets plain HTTP with a 400 that says so, as nginx does.",
        "origin_expects_tls",
        &[
            Hear,
            Send(
                b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\n\
                  Content-Length: 118\r\nConnection: close\r\n\r\n\
                  <html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\
                  <body>400 Bad Request</body></html>",
            ),
        ],
    ),
    Fault::port(
        "tls-plain",
        "Meets a TLS handshake with plain HTTP.",
        "tls_peer_not_tls",
        &[
            Hear,
            Send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        ],
    )
    .needs(TLS),
    Fault::port(
        "tls-closed",
        "Closes the connection in the middle of the handshake.",
        "tls_closed",
        &[Hear],
    )
    .needs(TLS),
    Fault::port(
        "tls-reset",
        "Resets the connection in the middle of the handshake.",
        "tls_closed",
        &[Hear, Step::End(Reset)],
    )
    .needs(TLS),
    Fault::port(
        "tls-silent",
        "Takes the handshake's first message and never answers.",
        "tls_stalled",
        &[Hang],
    )
    .needs(TLS),
    Fault::port(
        "tls-alert",
        "Refuses the handshake with alert 40, handshake_failure.",
        "tls_alert_received",
        &[Hear, Send(HANDSHAKE_FAILURE)],
    )
    .needs(TLS),
    Fault::port(
        "tls-name-rejected",
        "Refuses the handshake with alert 112, unrecognized_name.",
        "tls_sni_rejected",
        &[Hear, Send(UNRECOGNIZED_NAME)],
    )
    .needs(TLS),
    Fault::port(
        "tls-certificate-required",
        "Refuses the handshake with alert 116, certificate_required.",
        "tls_client_certificate_required",
        &[Hear, Send(CERTIFICATE_REQUIRED)],
    )
    .needs(TLS),
    Fault::port(
        "tls-malformed",
        "Answers the handshake with a record of nonsense.",
        "tls_handshake_failed",
        &[Hear, Send(b"\x16\x03\x03\x00\x08\x02\xff\xff\xff\xde\xad\xbe\xef")],
    )
    .needs(TLS),
];
