//! Methods, and versions of HTTP.

use crate::everyday::row::{REFUSED, Row, TAKEN};

const COUNTED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::get("GET", ""),
        Row::ask("HEAD, with a length", "HEAD /", "").answered(COUNTED),
        Row::ask("HEAD, without a length", "HEAD /", "")
            .answered("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"),
        Row::ask("HEAD, in chunks", "HEAD /", "")
            .answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Row::ask("HEAD, 404", "HEAD /", "")
            .answered("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n"),
        Row::ask("HEAD, 500", "HEAD /", "")
            .answered("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 9\r\n\r\n"),
        Row::ask("HEAD, 204", "HEAD /", "").answered("HTTP/1.1 204 No Content\r\n\r\n"),
        Row::ask("POST without a body", "POST /", ""),
        Row::ask("PUT without a body", "PUT /", ""),
        Row::ask("DELETE without a body", "DELETE /a", ""),
        Row::ask("DELETE with a body", "DELETE /a", "Content-Length: 3").body("why"),
        Row::ask("PATCH with a body", "PATCH /a", "Content-Length: 2").body("{}"),
        Row::ask("GET with a body", "GET /search", "Content-Length: 2").body("{}"),
        Row::ask("OPTIONS of a resource", "OPTIONS /a", "Origin: http://x.test"),
        Row::ask("OPTIONS *", "OPTIONS *", "").differs(
            TAKEN,
            "A question about the server, which the last proxy passes on (RFC 9112 \
             section 3.2.4).",
        ),
        Row::ask("PROPFIND", "PROPFIND /dav/", "Depth: 1"),
        Row::ask("REPORT with a body", "REPORT /dav/", "Content-Length: 4").body("<a/>"),
        Row::ask("PURGE", "PURGE /a", ""),
        Row::ask("QUERY with a body", "QUERY /a", "Content-Length: 1").body("q"),
        Row::ask("a method of its own", "M-SEARCH /", ""),
        Row::ask("a method in small letters", "get /", "").differs(
            TAKEN,
            "A method is any token, and its case counts (RFC 9110 section 9.1); what \
             to make of it the origin decides.",
        ),
        Row::ask("TRACE", "TRACE /", ""),
        Row::ask("CONNECT", "CONNECT app.test:443", "").differs(
            &[("answer", "400 of its own", "405 of its own")],
            "A method that we know and do not serve (RFC 9110 section 15.5.6).",
        ),
        Row::sent("HTTP/1.0", "GET / HTTP/1.0\r\nHost: app.test\r\n\r\n"),
        Row::sent(
            "HTTP/1.0 with `Connection: keep-alive`",
            "GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n",
        ),
        Row::sent("HTTP/1.0 without `Host`", "GET / HTTP/1.0\r\n\r\n"),
        Row::sent("HTTP/1.0, answered in chunks", "GET / HTTP/1.0\r\nHost: app.test\r\n\r\n")
            .answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        Row::sent(
            "HTTP/1.0 with a body",
            "POST / HTTP/1.0\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi",
        ),
        Row::sent("HTTP/1.2, which does not exist", "GET / HTTP/1.2\r\nHost: app.test\r\n\r\n")
            .differs(
                REFUSED,
                "Nobody speaks it, and the parser here knows two versions. RFC 9110 section 2.5 \
             would have it served as HTTP/1.1.",
            ),
        Row::sent("HTTP/3.0, which nobody speaks so", "GET / HTTP/3.0\r\nHost: app.test\r\n\r\n")
            .differs(
                &[("answer", "505 of its own", "400 of its own")],
                "Both refuse it (RFC 9110 section 15.6.6 names 505); to us it is the \
             client's error, and 5xx are a server's.",
            ),
        Row::sent(
            "an empty line before the request",
            "\r\nGET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
        ),
    ]
}
