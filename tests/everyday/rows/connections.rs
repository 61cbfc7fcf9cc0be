//! Whether connections are kept.

use super::Row;

const TWO: &str = "GET /one HTTP/1.1\r\nHost: app.test\r\n\r\nGET /two HTTP/1.1\r\nHost: \
             app.test\r\n\r\n";

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::get("`Connection: close` from the client", "Connection: close"),
        Row::get("`Connection: Keep-Alive` from the client", "Connection: Keep-Alive"),
        Row::get("`Connection: close` from the origin", "")
            .answered("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
            .closing(),
        Row::sent("two requests at once", TWO).answers(2),
        Row::sent(
            "two requests at once, the first with a body",
            [
                "POST /one HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi",
                "GET /two HTTP/1.1\r\nHost: app.test\r\n\r\n",
            ]
            .concat(),
        )
        .answers(2),
        Row::ask("one after the other", "GET /one", "")
            .then("GET /two HTTP/1.1\r\nHost: app.test\r\n\r\n")
            .answers(2),
        Row::get("an answer until it closes leaves the client's connection", "")
            .answered("HTTP/1.1 200 OK\r\n\r\nok")
            .closing(),
        Row::get("the origin closes without an answer", "").slowly(&[]).closing(),
        Row::get("the origin answers nonsense", "")
            .answered("SSH-2.0-OpenSSH_9\r\n")
            .closing()
            .differs(
                &[("answer", "none", "502 of its own"), ("connection", "closed", "kept")],
                "nginx takes it for an answer of HTTP/0.9 and passes it on; we take it for \
             no HTTP, and say so (RFC 9112 section 4).",
            ),
        Row::get("an answer that is cut short", "")
            .answered("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            .closing(),
        Row::get("an answer in chunks that is cut short", "")
            .answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            .closing(),
    ]
}
