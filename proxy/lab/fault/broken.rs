//! Answers that are not HTTP/1.

use super::{Fault, Needs};
use crate::lab::script::Step::{Body, End, Hang, Send};
use crate::lab::wire::After::Close;

const MALFORMED: &str = "response_malformed";

pub(super) const ROWS: &[Fault] = &[
    Fault::path(
        "status-line-malformed",
        "Answers with a status line that has no number.",
        MALFORMED,
        &[Body, Send(b"HTTP/1.1 OK\r\nContent-Length: 3\r\n\r\nok\n")],
    ),
    Fault::path(
        "status-malformed",
        "Answers with a status that is no number.",
        MALFORMED,
        &[Body, Send(b"HTTP/1.1 2x0 OK\r\nContent-Length: 3\r\n\r\nok\n")],
    ),
    Fault::path(
        "version-unknown",
        "Answers as HTTP/7.3.",
        MALFORMED,
        &[Body, Send(b"HTTP/7.3 200 OK\r\nContent-Length: 3\r\n\r\nok\n")],
    ),
    Fault::path(
        "field-name-malformed",
        "Sends a header field with a space in its name.",
        MALFORMED,
        &[Body, Send(b"HTTP/1.1 200 OK\r\nBad Name: 1\r\nContent-Length: 3\r\n\r\nok\n")],
    ),
    Fault::path(
        "field-without-colon",
        "Sends a header line without a colon.",
        MALFORMED,
        &[Body, Send(b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 3\r\n\r\nok\n")],
    ),
    Fault::path(
        "field-with-nul",
        "Sends a NUL byte within a header field.",
        MALFORMED,
        &[Body, Send(b"HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 3\r\n\r\nok\n")],
    ),
    Fault::path(
        "garbage",
        "Answers with a line of text that belongs to no protocol.",
        MALFORMED,
        &[Body, Send(b"!!! this is not the server you are looking for !!!\r\n\r\n")],
    ),
    Fault::path(
        "binary",
        "Answers with binary bytes.",
        MALFORMED,
        &[Body, Send(b"\x00\x01\x02\xfe\xff\x80\x81\r\n\x1b[31m\x00\x00\x07")],
    ),
    Fault::path(
        "ssh",
        "Answers as an SSH server.",
        MALFORMED,
        &[Body, Send(b"SSH-2.0-OpenSSH_9.6\r\nInvalid SSH identification string.\r\n")],
    ),
    Fault::port(
        "ssh-banner",
        "Greets every connection as an SSH server, before it is spoken to.",
        MALFORMED,
        &[Send(b"SSH-2.0-OpenSSH_9.6\r\n"), Hang],
    ),
    Fault::path(
        "redis",
        "Answers as a Redis server.",
        MALFORMED,
        &[Body, Send(b"-ERR unknown command 'GET'\r\n")],
    ),
    Fault::path(
        "http09",
        "Answers as HTTP/0.9 did: a document without a header.",
        MALFORMED,
        &[Body, Send(b"<html><body>Hello from 1991</body></html>\r\n")],
    ),
    // RFC 9113 sections 6.5 and 6.8: an empty SETTINGS frame, then GOAWAY with PROTOCOL_ERROR.
    Fault::path(
        "http2-frames",
        "Answers with frames of HTTP/2.",
        MALFORMED,
        &[Body, Send(b"\0\0\0\x04\0\0\0\0\0"), Send(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01")],
    ),
    // RFC 8446 section 4: the beginning of a ServerHello.
    Fault::path(
        "tls-record",
        "Answers with a handshake record of TLS.",
        MALFORMED,
        &[Body, Send(b"\x16\x03\x03\x00\x06\x02\x00\x00\x02\x03\x03")],
    )
    .also(&["origin_expects_tls"]),
    Fault::path(
        "switch-unasked",
        "Switches protocols though nobody asked.",
        "upgrade_failed",
        &[
            Body,
            Send(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                  Upgrade: whatever\r\n\r\n",
            ),
            Hang,
        ],
    ),
    Fault::path(
        "upgrade-refused",
        "Answers a request for an upgrade with a plain 200.",
        "upgrade_failed",
        &[
            Body,
            Send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n"),
            End(Close),
        ],
    )
    .needs(&[Needs::Upgrade]),
];
