//! What origins of HTTP/2 do, with secrets in all that they say.

use super::secret;
use crate::rig::frames::{DATA, END_HEADERS, Frame, Framed, HEADERS};
use crate::rig::h2client::field;
use crate::rig::origin::Conversation;

/// One way to fail.
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// What is said of it; with a `|` between where the kernel decides.
    pub(super) cause: &'static str,
    /// From the first byte on.
    pub(super) act: fn(Conversation),
}

/// A header section, with this field last.
fn header(stream: u32, last: &[u8]) -> Frame {
    let payload = [
        &[0x08, 3][..],
        b"200",
        &field("set-cookie", &secret("h2")),
        &field("x-custom", &secret("h2")),
        last,
    ];
    Frame { kind: HEADERS, flags: END_HEADERS, stream, payload: payload.concat() }
}

/// Answers each request by these frames, all in one piece.
fn answer(connection: Conversation, frames: impl Fn(u32) -> Vec<Frame>) {
    let Some(mut proxy) = Framed::greet(connection) else { return };
    while let Some(stream) = proxy.request() {
        proxy.send_all(&frames(stream));
    }
}

/// The same before anything was asked: what comes first is what is kept of a connection's beginning.
fn begin(mut connection: Conversation, bytes: &[Vec<u8>]) {
    if connection.fill() {
        connection.pour(&bytes.concat());
        connection.hold();
    }
}

/// The goodbye of who ends a connection, with what else there is to say.
fn goodbye(last: u32, code: u32) -> Frame {
    let mut frame = Frame::goaway(last, code);
    frame.payload.extend_from_slice(secret("debug-data").as_bytes());
    frame
}

const REFUSED: u32 = 7;
const CANCEL: u32 = 8;

pub(super) const ALL: &[Fault] = &[
    Fault { name: "goodbye", cause: "h2_goaway", act: |c| answer(c, |_| vec![goodbye(0, 0)]) },
    Fault {
        name: "goodbye-with-a-code",
        cause: "h2_goaway|origin_closed",
        act: |c| answer(c, |_| vec![goodbye(0, 11)]),
    },
    Fault {
        name: "reset",
        cause: "h2_stream_reset",
        act: |c| answer(c, |stream| vec![Frame::reset(stream, REFUSED)]),
    },
    Fault {
        name: "reset-after-a-header",
        cause: "h2_stream_reset",
        act: |c| {
            answer(c, |stream| {
                let body = Frame::data(stream, secret("h2-body").as_bytes(), false);
                vec![header(stream, &[]), body, Frame::reset(stream, CANCEL)]
            });
        },
    },
    Fault {
        name: "name-in-capitals",
        cause: "response_malformed",
        act: |c| answer(c, |stream| vec![header(stream, &field("X-Bad", &secret("capitals")))]),
    },
    Fault {
        name: "control-in-a-value",
        cause: "response_malformed",
        act: |c| {
            answer(c, |stream| {
                let value = format!("{}\n{}", secret("value"), secret("value"));
                vec![header(stream, &field("x-bad", &value))]
            });
        },
    },
    Fault {
        name: "length-in-words",
        cause: "response_malformed|response_framing_conflict",
        act: |c| {
            answer(c, |stream| vec![header(stream, &field("content-length", &secret("length")))]);
        },
    },
    Fault {
        name: "packed-wrongly",
        cause: "response_malformed",
        act: |c| {
            answer(c, |stream| {
                let mut frame = header(stream, b"\x00\x81");
                frame.payload.extend_from_slice(secret("packed").as_bytes());
                vec![frame]
            });
        },
    },
    Fault {
        name: "large-section",
        cause: "response_header_too_large",
        act: |c| {
            answer(c, |stream| {
                let value = secret("large") + &"x".repeat(80);
                vec![header(stream, &field("x-large", &value).repeat(50))]
            });
        },
    },
    Fault {
        name: "body-of-another-length",
        cause: "response_truncated|response_malformed",
        act: |c| {
            answer(c, |stream| {
                let body = Frame::data(stream, secret("h2-body").as_bytes(), true);
                vec![header(stream, &field("content-length", "5")), body]
            });
        },
    },
    Fault {
        name: "data-of-no-stream",
        cause: "response_malformed|response_truncated",
        act: |c| {
            let body = Frame { stream: 0, ..Frame::data(1, secret("stream-0").as_bytes(), false) };
            begin(c, &[Frame::settings().bytes(), header(1, &[]).bytes(), body.bytes()]);
        },
    },
    Fault {
        name: "unknown-frame",
        cause: "response_malformed",
        act: |c| {
            let body = Frame { kind: DATA, flags: 0, stream: 0, payload: b"x".to_vec() };
            let secret =
                Frame { kind: 0xfe, payload: secret("opening").into_bytes(), ..body.clone() };
            begin(c, &[Frame::settings().bytes(), secret.bytes(), body.bytes()]);
        },
    },
    Fault {
        name: "http1",
        cause: "alpn_mismatch",
        act: |mut c| {
            if c.fill() {
                let secret = secret("http1");
                c.pour(format!("HTTP/1.1 400 No\r\nX: {secret}\r\n\r\n{secret}").as_bytes());
                c.close();
            }
        },
    },
    Fault {
        name: "nonsense",
        cause: "response_malformed|origin_closed",
        act: |mut c| {
            if c.fill() {
                c.pour(
                    format!("SSH-2.0-server\r\n{}\r\n", secret("nonsense").repeat(9)).as_bytes(),
                );
                c.close();
            }
        },
    },
];
