//! Connections that are not made, not kept or not answered.

use super::{Act, Fault, Needs};
use crate::lab::script::Step::{Body, End, Fresh, Hang, Part, Send, Stall, Wait};
use crate::lab::wire::After::{Close, Drop, Next, Reset};

/// What the first request on a connection gets.
const FINE: &[crate::lab::script::Step] =
    &[Body, Send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"), End(Next)];

const RACE: &[Needs] = &[Needs::Reuse, Needs::Post];

pub(super) const ROWS: &[Fault] = &[
    Fault::new("connect-refused", "Nothing listens on the port.", "connect_refused", Act::Deaf),
    Fault::new(
        "connect-refused-unix",
        "Nothing listens on the Unix socket, though its file is there.",
        "connect_refused",
        Act::Orphan,
    ),
    Fault::new(
        "connect-timeout",
        "The port drops every SYN: its accept queue was full before anybody came.",
        "connect_timeout",
        Act::Full,
    )
    .also(&["connect_queue_full"]),
    Fault::new(
        "connect-queue-full",
        "Answers one request, then accepts no more until its queue is full and stays so.",
        "connect_queue_full",
        Act::Fills,
    )
    .needs(&[Needs::Before]),
    Fault::new(
        "never-accepts",
        "Listens but never accepts: the kernel takes connection and request, nobody reads them.",
        "origin_slow",
        Act::Idle,
    )
    .also(&["request_write_timeout"]),
    Fault::port(
        "accept-close",
        "Closes each connection with a FIN as soon as it is there, then reads what comes.",
        "origin_closed",
        &[End(Close)],
    )
    .also(&["origin_reset"]),
    Fault::port(
        "accept-drop",
        "Closes each connection at once, so that the request meets a RST.",
        "origin_closed",
        &[End(Drop)],
    )
    .also(&["origin_reset", "request_write_failed"]),
    Fault::port(
        "accept-reset",
        "Resets each connection as soon as it is there.",
        "origin_reset",
        &[End(Reset)],
    )
    .also(&["connect_reset", "request_write_failed"]),
    Fault::port(
        "accept-silent",
        "Accepts, reads everything and says nothing.",
        "origin_slow",
        &[Hang],
    ),
    Fault::path(
        "keepalive-race",
        "Answers the first request on a connection, and resets it on the next as if nobody had read it; \
         within a second that is the request's doing.",
        "keepalive_race",
        &[Fresh(FINE), End(Reset)],
    )
    .needs(RACE),
    Fault::path(
        "reused-closed",
        "Answers the first request on a connection, reads the next and closes: a worker that ends.",
        "origin_closed",
        &[Fresh(FINE), Body, End(Close)],
    )
    .needs(RACE),
    Fault::path(
        "origin-closed",
        "Reads the request, then closes without a byte.",
        "origin_closed",
        &[Body, End(Close)],
    ),
    Fault::path(
        "origin-closed-later",
        "Reads the request, waits for a second, then closes: a time limit of its own.",
        "origin_closed",
        &[Body, Wait(1000), End(Close)],
    ),
    Fault::path(
        "origin-reset",
        "Reads the request, then resets the connection, as a killed worker does.",
        "origin_reset",
        &[Body, End(Reset)],
    ),
    Fault::path(
        "origin-reset-later",
        "Reads the request, waits for a second, then resets the connection.",
        "origin_reset",
        &[Body, Wait(1000), End(Reset)],
    ),
    Fault::path(
        "upload-reset",
        "Resets the connection in the middle of an upload, after 64 KiB of it.",
        "request_write_failed",
        &[Part(65_536), End(Reset)],
    )
    .also(&["origin_reset"])
    .needs(&[Needs::Body(1 << 24)]),
    Fault::path(
        "upload-stalled",
        "Stops reading an upload after 64 KiB, and keeps the connection.",
        "request_write_timeout",
        &[Part(65_536), Stall],
    )
    .needs(&[Needs::Body(1 << 26)]),
    Fault::path(
        "origin-slow",
        "Reads the request and never answers.",
        "origin_slow",
        &[Body, Hang],
    ),
];
