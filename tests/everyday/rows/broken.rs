//! Requests and answers that break a rule, as some do every day.

use super::Row;

pub(super) fn rows() -> Vec<Row> {
    let post = |name, fields: &str| Row::ask(name, "POST /", fields);
    let answer = |name, fields: &str| Row::get(name, "").fields(fields);
    vec![
        Row::sent("bare LF for line ends", "GET / HTTP/1.1\nHost: app.test\n\n"),
        Row::get("a folded field line", "X-Long: a\r\n b"),
        Row::get("a space before the colon", "X-Space : a"),
        Row::get("a line without a colon", "X-Nothing"),
        Row::get("a space in a name", "X Name: a"),
        Row::get("a control character in a value", "X-Bell: a\u{7}b"),
        Row::sent("a bare CR in a value", "GET / HTTP/1.1\r\nHost: app.test\r\nX-Cr: a\rb\r\n\r\n"),
        post("`Content-Length: +5`", "Content-Length: +5").body("hello"),
        post("`Content-Length: 5, 5`", "Content-Length: 5, 5").body("hello"),
        post("`Content-Length` twice, equal", "Content-Length: 5\r\nContent-Length: 5")
            .body("hello"),
        post("`Content-Length` twice, different", "Content-Length: 5\r\nContent-Length: 6")
            .body("hello"),
        post("`Content-Length` and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked")
            .body("5\r\nhello\r\n0\r\n\r\n"),
        post("`Transfer-Encoding: gzip, chunked`", "Transfer-Encoding: gzip, chunked")
            .body("5\r\nhello\r\n0\r\n\r\n"),
        post("`Transfer-Encoding: gzip`", "Transfer-Encoding: gzip").body("hello"),
        post("`Transfer-Encoding: identity`", "Transfer-Encoding: identity\r\nContent-Length: 2")
            .body("hi"),
        post("`Transfer-Encoding: Chunked`, in capitals", "Transfer-Encoding: CHUNKED")
            .body("2\r\nhi\r\n0\r\n\r\n"),
        post("a chunk's size that is no number", "Transfer-Encoding: chunked")
            .body("x\r\nhi\r\n0\r\n\r\n"),
        answer("an answer with two equal lengths", "Content-Length: 5"),
        answer("an answer with two lengths", "Content-Length: 4"),
        answer("an answer with a length and chunks", "Transfer-Encoding: chunked"),
        answer("an answer with a folded field line", "X-Long: a\r\n b"),
        answer("an answer with a space before a colon", "X-Space : a"),
        answer("an answer with a space in a name", "X Name: a"),
        Row::get("a body after a 204", "")
            .answered("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi")
            .closing(),
        Row::get("more than the length says", "")
            .answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more")
            .closing(),
    ]
}
