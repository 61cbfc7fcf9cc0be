//! Heads that are too large, too slow or cut off.

use super::{Fault, Needs};
use crate::lab::script::Step::{Body, Dribble, Hang, Repeat, Send, Wait};

const BEGIN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n";
const END: &[u8] = b"\r\nok\n";
/// A field of 400 bytes.
const FIELD: &[u8] = &{
    let mut field = [b'.'; 400];
    let name = *b"X-Padding: ";
    let mut at = 0;
    while at < name.len() {
        field[at] = name[at];
        at += 1;
    }
    field[398] = b'\r';
    field[399] = b'\n';
    field
};

const DEADLINE: &[Needs] = &[Needs::Setting("timeouts.response")];

pub(super) const ROWS: &[Fault] = &[
    Fault::path(
        "header-dribble",
        "Sends its header byte by byte, and never ends it.",
        "response_deadline",
        &[Body, Send(BEGIN), Dribble(b"X-Slow: 1\r\n", 1000)],
    )
    .also(&["origin_slow"])
    .needs(DEADLINE),
    Fault::path(
        "header-stalled",
        "Sends half a header, then nothing.",
        "origin_slow",
        &[Body, Send(b"HTTP/1.1 200 OK\r\nContent-Ty"), Hang],
    )
    .also(&["response_stalled"]),
    Fault::path(
        "header-truncated",
        "Sends half a header, then closes.",
        "origin_closed",
        &[Body, Send(b"HTTP/1.1 200 OK\r\nContent-Ty")],
    )
    .also(&["response_truncated", "response_malformed"]),
    Fault::path(
        "header-too-large",
        "Sends 80 KB of header in 200 fields, none of them large.",
        "response_header_too_large",
        &[Body, Send(BEGIN), Repeat(FIELD, 200), Send(END)],
    ),
    Fault::path(
        "header-too-many",
        "Sends 300 small header fields.",
        "response_header_too_large",
        &[Body, Send(BEGIN), Repeat(b"X-Many: 1\r\n", 300), Send(END)],
    ),
    Fault::path(
        "header-line-too-large",
        "Sends one header field of 40 KiB, such as a cookie out of hand.",
        "response_header_line_too_large",
        &[
            Body,
            Send(BEGIN),
            Send(b"Set-Cookie: session="),
            Repeat(b"s", 40_960),
            Send(b"\r\n"),
            Send(END),
        ],
    ),
    Fault::path(
        "header-endless",
        "Sends header fields without end: 4 MiB of them.",
        "response_header_too_large",
        &[Body, Send(BEGIN), Repeat(FIELD, 10_486), Wait(1000)],
    ),
];
