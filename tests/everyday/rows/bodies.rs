//! How the bodies of answers end, and how they come.

use super::{Row, noise};

pub(super) fn rows() -> Vec<Row> {
    let get = |name| Row::get(name, "");
    vec![
        get("in chunks").answered(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\n\
             de\r\n0\r\n\r\n",
        ),
        Row::get(
            "in chunks, with trailers, which neither passes on",
            "TE: trailers\r\nConnection: close, TE",
        )
        .raw()
        .answered(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\
             \r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
        ),
        get("until it closes")
            .answered("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")
            .closing(),
        get("of HTTP/1.0, until it closes")
            .answered("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")
            .closing(),
        get("with a length, and `Connection: close`")
            .answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            .closing(),
        get("with fields that its `Connection` names").answered(
            "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: \
             timeout=5\r\nContent-Length: 2\r\n\r\nok",
        ),
        get("with `Upgrade`, unasked").fields("Upgrade: h2c"),
        get("10 MiB").answered(
            [
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 10 << 20).into_bytes(),
                noise(10 << 20),
            ]
            .concat(),
        ),
        get("slowly, in pieces").slowly(&[
            "HTTP/1.1 200 OK\r\n",
            "Content-Length: 6\r\n\r\n",
            "ab",
            "cd",
            "ef",
        ]),
        get("slowly, in chunks").slowly(&[
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "2\r\nab\r\n",
            "2\r\ncd\r\n0\r\n\r\n",
        ]),
        // Where neither does, nginx keeps what comes after a 103 to itself.
        Row::get("103 before the answer, and both sides close", "Connection: close")
            .answered(
                "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 \
             200 OK\r\nContent-Length: 2\r\n\r\nok",
            )
            .closing(),
        get("a bare LF in its head").answered("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    ]
}
