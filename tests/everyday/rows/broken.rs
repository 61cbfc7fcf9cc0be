//! Requests and answers that break a rule, as some do every day.

use crate::everyday::row::{REFUSED, Row, TAKEN};

pub(super) fn rows() -> Vec<Row> {
    let post = |name, fields: &str| Row::ask(name, "POST /", fields);
    let answer = |name, fields: &str| Row::get(name, "").fields(fields);
    vec![
        Row::sent("bare LF for line ends", "GET / HTTP/1.1\nHost: app.test\n\n").differs(
            REFUSED,
            "RFC 9112 section 2.2 allows either. Readers disagree about where such a \
             request ends, and one hides in another that way.",
        ),
        Row::get("a folded field line", "X-Long: a\r\n b"),
        Row::get("a space before the colon", "X-Space : a"),
        Row::get("a line without a colon", "X-Nothing")
            .differs(REFUSED, "nginx drops the line; it is no field (RFC 9112 section 5)."),
        Row::get("a space in a name", "X Name: a"),
        Row::sent("a bare CR in a value", "GET / HTTP/1.1\r\nHost: app.test\r\nX-Cr: a\rb\r\n\r\n"),
        post("`Content-Length: +5`", "Content-Length: +5").body("hello"),
        post("`Content-Length: 5, 5`", "Content-Length: 5, 5").body("hello").differs(
            TAKEN,
            "Equal lengths may be taken for the one they repeat (RFC 9110 section \
             8.6); the origin gets it once.",
        ),
        post("`Content-Length` twice, equal", "Content-Length: 5\r\nContent-Length: 5")
            .body("hello")
            .differs(TAKEN, "As above."),
        post("`Content-Length` twice, different", "Content-Length: 5\r\nContent-Length: 6")
            .body("hello"),
        post("`Content-Length` and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked")
            .body("5\r\nhello\r\n0\r\n\r\n"),
        post("`Transfer-Encoding: gzip, chunked`", "Transfer-Encoding: gzip, chunked")
            .body("5\r\nhello\r\n0\r\n\r\n")
            .differs(
                &[("answer", "501 of its own", "400 of its own")],
                "Both refuse it. RFC 9112 section 6.1 names 501; to us it is the client's \
             error, and 5xx are a server's.",
            ),
        post("`Transfer-Encoding: gzip`", "Transfer-Encoding: gzip").body("hello").differs(
            &[("answer", "501 of its own", "400 of its own")],
            "Both refuse it: nobody can tell where such a body ends (RFC 9112 section \
             6.3).",
        ),
        post("`Transfer-Encoding: identity`", "Transfer-Encoding: identity\r\nContent-Length: 2")
            .body("hi")
            .differs(
                &[("answer", "501 of its own", "400 of its own")],
                "Both refuse it: with a length beside it, it is ambiguous (RFC 9112 \
             section 6.1).",
            ),
        post("`Transfer-Encoding: Chunked`, in capitals", "Transfer-Encoding: CHUNKED")
            .body("2\r\nhi\r\n0\r\n\r\n"),
        post("a chunk's size that is no number", "Transfer-Encoding: chunked")
            .body("x\r\nhi\r\n0\r\n\r\n"),
        answer("an answer with two equal lengths", "Content-Length: 5").differs(
            &[("answer", "200 OK", "502 of its own")],
            "RFC 9110 section 8.6 allows either. An origin that says it twice has two \
             writers of its fields, and we name it.",
        ),
        answer("an answer with two lengths", "Content-Length: 4").differs(
            &[("answer", "200 OK", "502 of its own")],
            "Nobody can tell where it ends (RFC 9112 section 6.3, which demands a 502).",
        ),
        Row::get("an answer with a length and chunks", "").answered(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\
             \r\n5\r\nfine\n\r\n0\r\n\r\n",
        ),
        answer("an answer with a folded field line", "X-Long: a\r\n b").differs(
            &[("answer", "502 of its own", "200 OK")],
            "Unfolded as RFC 9112 section 5.2 says.",
        ),
        answer("an answer with a space before a colon", "X-Space : a").differs(
            &[("answer", "502 of its own", "200 OK")],
            "Taken off as RFC 9112 section 5.1 says.",
        ),
        answer("an answer with a space in a name", "X Name: a"),
        Row::get("a body after a 204", "")
            .answered("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi")
            .closing(),
        Row::get("more than the length says", "")
            .answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more")
            .closing(),
    ]
}
