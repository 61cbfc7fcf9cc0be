//! Bodies that contradict their frame, or end, stop or crawl within it.

use super::{Fault, Needs};
use crate::lab::script::Step::{Body, Dribble, End, Hang, Repeat, Send, Wait};
use crate::lab::wire::After::Reset;

const CONFLICT: &str = "response_framing_conflict";
const CODING: &str = "response_bad_transfer_coding";
const TRUNCATED: &str = "response_truncated";

const HUNDRED: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n";
const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";

const DEADLINE: &[Needs] = &[Needs::Setting("timeouts.response")];
const LIMIT: &[Needs] = &[Needs::Setting("limits.response_body")];

pub(super) const ROWS: &[Fault] = &[
    Fault::path(
        "two-lengths",
        "Sends two different Content-Length fields.",
        CONFLICT,
        &[Body, Send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nok\nok")],
    ),
    Fault::path(
        "length-and-coding",
        "Sends Content-Length and Transfer-Encoding together.",
        CONFLICT,
        &[
            Body,
            Send(
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n\
                  3\r\nok\n\r\n0\r\n\r\n",
            ),
        ],
    ),
    Fault::path(
        "length-malformed",
        "Sends a Content-Length that is no number.",
        CONFLICT,
        &[Body, Send(b"HTTP/1.1 200 OK\r\nContent-Length: three\r\n\r\nok\n")],
    )
    .also(&["response_malformed"]),
    Fault::path(
        "length-negative",
        "Sends a negative Content-Length.",
        CONFLICT,
        &[Body, Send(b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nok\n")],
    )
    .also(&["response_malformed"]),
    Fault::path(
        "chunk-size-malformed",
        "Sends one good chunk, then one whose size is no number.",
        CODING,
        &[Body, Send(CHUNKED), Send(b"5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n")],
    ),
    Fault::path(
        "chunk-size-huge",
        "Sends one good chunk, then one whose size overflows 64 bits.",
        CODING,
        &[Body, Send(CHUNKED), Send(b"5\r\nhello\r\nFFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n")],
    ),
    Fault::path(
        "chunk-end-malformed",
        "Sends a chunk that is longer than its size says.",
        CODING,
        &[Body, Send(CHUNKED), Send(b"5\r\nhello and more\r\n0\r\n\r\n")],
    ),
    Fault::path(
        "truncated",
        "Announces 100 bytes, sends 40 and closes.",
        TRUNCATED,
        &[Body, Send(HUNDRED), Repeat(b"0123456789", 4)],
    ),
    // A RST throws away what the peer has not read yet, so the origin waits until all of it is
    // acknowledged at least; 50 ms over loopback is long enough for the peer to have read it.
    Fault::path(
        "truncated-reset",
        "Announces 100 bytes, sends 40 and resets the connection.",
        TRUNCATED,
        &[Body, Send(HUNDRED), Repeat(b"0123456789", 4), Wait(50), End(Reset)],
    )
    .also(&["origin_reset"]),
    Fault::path(
        "truncated-chunked",
        "Sends two chunks and closes without the last one.",
        TRUNCATED,
        &[Body, Send(CHUNKED), Send(b"5\r\nhello\r\n6\r\n world\r\n")],
    ),
    Fault::path(
        "truncated-chunk",
        "Closes in the middle of a chunk.",
        TRUNCATED,
        &[Body, Send(CHUNKED), Send(b"5\r\nhello\r\n64\r\n world")],
    ),
    Fault::path(
        "truncated-chunked-reset",
        "Sends two chunks and resets the connection.",
        TRUNCATED,
        &[Body, Send(CHUNKED), Send(b"5\r\nhello\r\n6\r\n world\r\n"), Wait(50), End(Reset)],
    )
    .also(&["origin_reset"]),
    Fault::path(
        "stalled",
        "Announces 100 bytes, sends 40, then nothing.",
        "response_stalled",
        &[Body, Send(HUNDRED), Repeat(b"0123456789", 4), Hang],
    ),
    Fault::path(
        "stalled-chunked",
        "Sends one chunk, then nothing.",
        "response_stalled",
        &[Body, Send(CHUNKED), Send(b"5\r\nhello\r\n"), Hang],
    ),
    Fault::path(
        "dribble",
        "Announces 1 GiB and sends it byte by byte.",
        "response_deadline",
        &[
            Body,
            Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"),
            Dribble(b"drip ", 200),
        ],
    )
    .needs(DEADLINE),
    Fault::path(
        "dribble-chunked",
        "Sends chunks of one byte, slowly and without end.",
        "response_deadline",
        &[Body, Send(CHUNKED), Dribble(b"1\r\n.\r\n", 50)],
    )
    .needs(DEADLINE),
    Fault::path(
        "body-too-large",
        "Announces 1 MiB, and sends it.",
        "response_body_too_large",
        &[
            Body,
            Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\nConnection: close\r\n\r\n"),
            Repeat(b"0123456789abcdef", 65_536),
        ],
    )
    .needs(LIMIT),
    Fault::path(
        "body-too-large-chunked",
        "Sends 1 MiB in chunks, without a word of its size.",
        "response_body_too_large",
        &[Body, Send(CHUNKED), Repeat(b"10\r\n0123456789abcdef\r\n", 65_536), Send(b"0\r\n\r\n")],
    )
    .needs(LIMIT),
];
