//! Bodies, both ways, and responses that have none.

use super::OK;
use crate::rig::message::End;
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;

/// Bytes in which nothing repeats at a round distance.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n % 251).expect("less than 256")).collect()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut coded = Vec::new();
    for chunk in body.chunks(size) {
        coded.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        coded.extend(chunk);
        coded.extend(b"\r\n");
    }
    coded.extend(b"0\r\n\r\n");
    coded
}

#[test]
fn uploads_arrive_whole() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    for length in [1, 100, 64 * 1024, 1 << 20] {
        let body = pattern(length);
        let counted =
            format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(proxy.send([counted.into_bytes(), body.clone()].concat()).status(), 200);
        let coded = b"PUT / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(proxy.send([&coded[..], &chunked(&body, 3000)].concat()).status(), 200);
        let seen = origin.requests();
        assert!(seen[seen.len() - 2..].iter().all(|request| request.body == body), "{length}");
    }
}

/// RFC 9110 section 8.6: a repeated length is passed on as one, or not at all.
#[test]
fn a_length_stated_twice_reaches_the_origin_once() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    for twice in ["Content-Length: 2\r\nContent-Length: 2", "Content-Length: 2, 2"] {
        let told = proxy.send(format!("PUT / HTTP/1.1\r\nHost: app.test\r\n{twice}\r\n\r\nhi"));
        assert_eq!(told.status(), 200);
        let seen = origin.requests().pop().expect("it was asked");
        assert_eq!(seen.fields.all("content-length"), ["2"], "{twice}");
        assert_eq!(seen.body, b"hi");
    }
}

/// Pingora drops the length of an answer that is also chunked, before anybody else sees it (RFC 9112
/// section 6.3: the coding overrides the length). So such an answer cannot be called a conflict; it
/// must at least reach the client with one meaning.
#[test]
fn an_answer_with_a_length_and_chunks_arrives_with_its_chunks_alone() {
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection
            .send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
        connection.send("2\r\nok\r\n0\r\n\r\n");
        connection.close();
    });
    // The rig holds good answers to be what the origin sent; this one cannot be.
    let proxy = Settings::endpoints(&[&origin.endpoint]).start();
    let told = proxy.get("/");
    let answer = told.answer();
    assert_eq!(answer.fields.text("content-length"), None);
    assert_eq!(answer.fields.text("transfer-encoding").as_deref(), Some("chunked"));
    assert_eq!(answer.text(), "ok");
}

#[test]
fn downloads_arrive_whole_however_they_are_delimited() {
    for length in [0, 1, 64 * 1024, 1 << 20] {
        let body = pattern(length);
        let origin = Origin::new({
            let body = body.clone();
            move |mut connection| {
                let Some(request) = connection.request() else { return };
                match request.target.as_str() {
                    "/counted" => {
                        connection
                            .send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
                        connection.send(&body);
                    }
                    "/chunked" => {
                        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                        connection.send(chunked(&body, 7000));
                    }
                    _ => {
                        connection.send("HTTP/1.0 200 OK\r\n\r\n");
                        connection.send(&body);
                    }
                }
                connection.close();
            }
        });
        let proxy = Settings::to(&origin).start();
        for path in ["/counted", "/chunked", "/closed"] {
            let told = proxy.get(path);
            assert_eq!(told.answer().end, End::Counted, "{path}: {:?}", told.answer().end);
            assert_eq!(told.answer().body.len(), length, "{path}");
        }
    }
}

#[test]
fn an_old_client_gets_no_chunks() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    let proxy = Settings::to(&origin).start();
    let told = proxy.send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n");
    assert!(!told.answer().chunked);
    assert_eq!(told.answer().fields.text("transfer-encoding"), None);
    assert_eq!(told.answer().text(), "abcde");
    assert_eq!(told.answer().end, End::Closed);
}

#[test]
fn an_old_client_that_names_no_host_is_served() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    assert_eq!(proxy.send("GET / HTTP/1.0\r\n\r\n").status(), 200);
}

#[test]
fn responses_without_a_body_have_none_and_keep_their_fields() {
    for (method, response) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"x\"\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\nX-Mine: yes\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nCache-Control: max-age=5\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
    ] {
        let origin = Origin::answering(response);
        let proxy = Settings::to(&origin).start();
        let told = proxy.tell(|client| {
            // A second answer on the same connection shows where the first one ended.
            let request = format!("{method} / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            client.send(&request);
            client.receive(method)
        });
        assert!(told.answer().body.is_empty(), "{response:?}");
        let sent = response.lines().find(|line| line.starts_with("Content-Length"));
        let got = told.answer().fields.text("content-length");
        assert_eq!(sent.map(|l| l["Content-Length: ".len()..].to_owned()), got, "{response:?}");
    }
}

#[test]
fn a_failed_head_has_no_body_either() {
    let closed = crate::rig::net::Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint]).once().start();
    let told = proxy.send("HEAD / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
    assert_eq!(told.status(), 502);
    assert!(told.answer().body.is_empty());
}

#[test]
fn ranges_are_the_origin_s_business() {
    let origin = Origin::serving(|request| {
        assert_eq!(request.fields.text("range").as_deref(), Some("bytes=2-4"));
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\ncde"
            .to_vec()
    });
    let proxy = Settings::to(&origin).start();
    let told = proxy.send("GET / HTTP/1.1\r\nHost: app.test\r\nRange: bytes=2-4\r\n\r\n");
    assert_eq!(told.status(), 206);
    assert_eq!(told.answer().text(), "cde");
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let origin = Origin::new(|mut connection| {
        let head = connection.head().expect("the head comes without the body");
        assert_eq!(head.fields.text("expect").as_deref(), Some("100-continue"));
        connection.send("HTTP/1.1 100 Continue\r\n\r\n");
        let mut body = connection.unread();
        while body.len() < 4 && connection.fill() {
            body.extend(connection.unread());
        }
        assert_eq!(body, b"body");
        connection.send(OK);
        connection.hold();
    });
    let proxy = Settings::to(&origin).start();
    let told = proxy.tell(|client| {
        client.send(
            "PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
        );
        assert_eq!(client.exactly(12), b"HTTP/1.1 100");
        client.line();
        while !client.line().is_empty() {}
        client.send("body");
        client.receive("PUT")
    });
    assert_eq!(told.status(), 200);
}

#[test]
fn interim_responses_are_passed_on() {
    let origin = Origin::answering(format!(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n{OK}"
    ));
    let proxy = Settings::to(&origin).start();
    let told = proxy.get("/");
    let (status, fields) = &told.answer().interim[0];
    assert_eq!(*status, 103);
    assert_eq!(fields.text("link").as_deref(), Some("</a.css>; rel=preload"));
    assert_eq!(fields.text("proxy-status"), None);
}

#[test]
fn an_early_refusal_of_an_upload_is_passed_on() {
    let origin = Origin::new(|mut connection| {
        connection.head();
        connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
        connection.close();
    });
    let proxy = Settings::to(&origin).start();
    let told = proxy.send(
        [
            b"PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 300000\r\n\r\n".to_vec(),
            pattern(300_000),
        ]
        .concat(),
    );
    assert_eq!(told.status(), 413);
    assert_eq!(told.answer().text(), "big");
}
