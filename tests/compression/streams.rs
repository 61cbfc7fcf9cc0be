//! Bodies that come bit by bit, and those that break off.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use super::{ALL, compressing, decoded, page};
use crate::rig::frames::{Frame, Framed};
use crate::rig::h2::{self, Answer};
use crate::rig::h2client::{Http2, request};
use crate::rig::origin::Origin;
use crate::rig::promise::broken_off;
use crate::rig::settings::Settings;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";

/// An origin that says one piece, and the other when it is told to.
fn slow() -> (Origin, Sender<()>) {
    let (go, told) = channel::<()>();
    let told = Mutex::new(told);
    let origin = Origin::new(move |mut connection| {
        while connection.request().is_some() {
            connection.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"));
            // The test may have failed already.
            let _ = told.lock().expect("nobody panicked").recv();
            connection.send("6\r\nsecond\r\n0\r\n\r\n");
        }
    });
    (origin, go)
}

#[test]
fn a_piece_that_came_goes_on_at_once() {
    let (origin, go) = slow();
    let proxy = compressing(&origin).start();
    for coding in ALL {
        let told = proxy.tell(|client| {
            let fields = format!("Host: app.test\r\nAccept-Encoding: {coding}\r\n");
            client.send(format!("GET / HTTP/1.1\r\n{fields}\r\n"));
            while !client.line().is_empty() {}
            let mut body = Vec::new();
            while decoded(coding, &body).0 != "first" {
                let size = String::from_utf8(client.line()).expect("a size");
                let size = usize::from_str_radix(&size, 16).expect("a size");
                body.extend(client.exactly(size));
                assert!(client.line().is_empty());
            }
            go.send(()).expect("the origin waits");
            loop {
                let size = String::from_utf8(client.line()).expect("a size");
                let size = usize::from_str_radix(&size, 16).expect("a size");
                body.extend(client.exactly(size));
                assert!(client.line().is_empty());
                if size == 0 {
                    break;
                }
            }
            assert_eq!(decoded(coding, &body), ("firstsecond".to_owned(), true), "{coding}");
            None
        });
        assert!(told.record["cause"].is_null(), "{:#}", told.record);
    }
}

#[test]
fn a_body_that_breaks_off_never_looks_whole() {
    let half = page();
    let length = half.len() + 1;
    let framings = [
        (format!("Content-Length: {length}\r\n\r\n"), half.clone()),
        (
            "Transfer-Encoding: chunked\r\n\r\n".to_owned(),
            format!("{:x}\r\n{half}\r\n", half.len()),
        ),
    ];
    for (framing, body) in framings {
        let origin = Origin::new(move |mut connection| {
            connection.request();
            connection.send(format!("{HEAD}{framing}{body}"));
            connection.close();
        });
        let proxy = compressing(&origin).start();
        for coding in ALL {
            for http2 in [false, true] {
                let told = if http2 {
                    let connection = Http2::connect(proxy.address());
                    proxy.exchange(|| {
                        let request = request("GET", "/").header("accept-encoding", coding);
                        connection.ask(request.body(()).expect("a good request"))
                    })
                } else {
                    let fields = format!("Host: app.test\r\nAccept-Encoding: {coding}\r\n");
                    proxy.send(format!("GET / HTTP/1.1\r\n{fields}\r\n"))
                };
                assert_eq!(told.text("cause"), "response_truncated", "{:#}", told.record);
                let answer = told.answer();
                assert!(broken_off(answer), "{answer:?}");
                let (text, whole) = decoded(coding, &answer.body);
                assert!(!whole && half.starts_with(&text), "{coding} {http2}");
            }
        }
    }
}

#[test]
fn a_body_that_ends_with_its_connection_is_whole() {
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.send(format!("{HEAD}\r\n{}", page()));
        connection.close();
    });
    let proxy = compressing(&origin).start();
    for coding in ALL {
        let fields = format!("Host: app.test\r\nAccept-Encoding: {coding}\r\n");
        let told = proxy.send(format!("GET / HTTP/1.1\r\n{fields}\r\n"));
        assert!(told.answer().whole() && told.record["cause"].is_null(), "{:#}", told.record);
        assert_eq!(decoded(coding, &told.answer().body), (page(), true));
    }
}

#[test]
fn an_origin_of_http2_is_no_other() {
    let origin = h2::Origin::plain(|request, _| {
        let text = ("content-type", "text/plain".to_owned());
        let mut answer = match request.target.as_str() {
            "/empty" => Answer { status: 200, fields: Vec::new(), body: Vec::new() },
            "/unmeasured" => Answer { status: 200, fields: Vec::new(), body: page().into() },
            _ => Answer::new(200, page()),
        };
        answer.fields.push(text);
        match request.target.as_str() {
            "/broken" => h2::Act::BreakOff(answer, ::h2::Reason::INTERNAL_ERROR),
            _ => h2::Act::Answer(answer),
        }
    });
    let proxy = Settings::endpoints(&[&origin.endpoint])
        .having("protocol: h2c")
        .h2c()
        .with("compression", "min_size: 100B")
        .start();
    let connection = Http2::connect(proxy.address());
    for coding in ALL {
        let ask = |target: &str| {
            proxy.exchange(|| {
                let request = request("GET", target).header("accept-encoding", coding);
                connection.ask(request.body(()).expect("a good request"))
            })
        };
        for (target, body) in [("/", page()), ("/unmeasured", page()), ("/empty", String::new())] {
            let told = ask(target);
            assert!(told.answer().whole() && told.record["cause"].is_null(), "{:#}", told.record);
            let used = told.answer().fields.text("content-encoding");
            assert_eq!(used.as_deref(), Some(coding).filter(|_| !body.is_empty()), "{target}");
            let used = used.unwrap_or_default();
            assert_eq!(decoded(&used, &told.answer().body), (body, true), "{coding} {target}");
        }
        let told = ask("/broken");
        assert!(broken_off(told.answer()), "{:?}", told.answer());
        assert!(!decoded(coding, &told.answer().body).1);
    }
}

#[test]
fn trailers_give_way_to_the_end_of_the_body() {
    let origin = Origin::new(|connection| {
        let Some(mut framed) = Framed::greet(connection) else { return };
        while let Some(stream) = framed.request() {
            framed.send_all(&[
                Frame::header(stream, 200, &[("content-type", "text/plain")]),
                Frame::data(stream, b"first", false),
                Frame::data(stream, b"second", false),
                Frame::trailers(stream, &[("x-sum", "5")]),
            ]);
        }
    });
    let proxy = compressing(&origin).having("protocol: h2c").start();
    let connection = Http2::connect(proxy.address());
    for coding in ALL {
        for http2 in [false, true] {
            let told = proxy.exchange(|| {
                if http2 {
                    let request = request("GET", "/").header("accept-encoding", coding);
                    return connection.ask(request.body(()).expect("a good request"));
                }
                let mut client = proxy.connect();
                let fields = format!("Host: app.test\r\nAccept-Encoding: {coding}\r\n");
                client.send(format!("GET / HTTP/1.1\r\n{fields}\r\n"));
                client.receive("GET")
            });
            let answer = told.answer();
            assert!(answer.whole() && told.record["cause"].is_null(), "{:#}", told.record);
            assert_eq!(decoded(coding, &answer.body), ("firstsecond".to_owned(), true), "{coding}");
        }
    }
}
