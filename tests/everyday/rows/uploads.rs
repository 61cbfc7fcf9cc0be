//! Bodies that go up.

use super::{Row, noise};

pub(super) fn rows() -> Vec<Row> {
    let post = |name, fields: &str| Row::ask(name, "POST /up", fields);
    let chunked = "Transfer-Encoding: chunked";
    let large = noise(3 << 20);
    vec![
        post("a length", "Content-Length: 5").body("hello"),
        post("a length of 0", "Content-Length: 0"),
        post("3 MiB with a length", &format!("Content-Length: {}", large.len())).body(&large),
        post("an upload in chunks", chunked).body("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
        post("in chunks, none of them with anything", chunked).body("0\r\n\r\n"),
        post("an upload in chunks, with trailers", &format!("{chunked}\r\nTrailer: X-Sum"))
            .body("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
            .differs(
                &[("field there trailer", "X-Sum", "none")],
                "Neither passes trailers on. We do not announce them either (RFC 9110 \
             section 6.6.2).",
            ),
        post("in chunks, 3 MiB", chunked).body(
            [format!("{:x}\r\n", large.len()).into_bytes(), large.clone(), b"\r\n0\r\n\r\n".into()]
                .concat(),
        ),
        post("a form", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7")
            .body("a=1&b=+"),
        post("`Content-Encoding: gzip`", "Content-Encoding: gzip\r\nContent-Length: 4")
            .body(b"\x1f\x8b\x08\x00"),
        post("`Expect: 100-continue`", "Expect: 100-continue\r\nContent-Length: 2")
            .then("hi")
            .invited("HTTP/1.1 100 Continue\r\n\r\n")
            .differs(
                &[("field there expect", "none", "100-continue")],
                "nginx invites the body itself; we let the origin decide, who may refuse \
             an upload before it comes (RFC 9110 section 10.1.1).",
            ),
        post("`Expect: 100-continue`, in chunks", &format!("Expect: 100-continue\r\n{chunked}"))
            .then("2\r\nhi\r\n0\r\n\r\n")
            .invited("HTTP/1.1 100 Continue\r\n\r\n")
            .differs(&[("field there expect", "none", "100-continue")], "As above."),
        post("an expectation that nobody knows", "Expect: miracles\r\nContent-Length: 2")
            .body("hi")
            .differs(
                &[("field there expect", "none", "miracles")],
                "What it means the origin knows, or answers 417 (RFC 9110 section 10.1.1).",
            ),
        post("a body before a 413 of the origin's", "Content-Length: 2")
            .body("hi")
            .answered(
                "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: \
             0\r\n\r\n",
            )
            .closing(),
    ]
}
