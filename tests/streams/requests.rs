//! What of a request HTTP/2 says in another way, or not at all.

use std::time::Duration;

use crate::rig::frames::{DATA, Frame, Framed};
use crate::rig::h2::{Act, Answer, Origin};
use crate::rig::origin;
use crate::rig::settings::Settings;

fn settings(endpoint: &str) -> Settings {
    Settings::endpoints(&[endpoint]).having("protocol: h2c")
}

fn answering() -> Origin {
    Origin::plain(|_, _| Act::Answer(Answer::new(200, "ok")))
}

/// The origin's own invitation is an interim answer, of which the library tells nothing.
#[test]
fn a_client_that_waits_to_be_invited_is() {
    let origin = origin::Origin::new(|connection| {
        let Some(mut framed) = Framed::greet(connection) else { return };
        while let Some(stream) = framed.request() {
            framed.send(&Frame::status(stream, 100, false));
            let ends = |frame: Frame| frame.kind == DATA && frame.flags & 1 == 1;
            while !framed.frame().is_none_or(ends) {}
            framed.send(&Frame::status(stream, 200, true));
        }
    });
    let proxy = settings(&origin.endpoint).start();
    let told = proxy.tell(|client| {
        let fields = "Host: app.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n";
        client.send(format!("POST / HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(client.line(), b"HTTP/1.1 100 Continue");
        assert_eq!(client.line(), b"");
        client.send("hi");
        client.receive("POST")
    });
    assert_eq!(told.status(), 200);
    assert!(told.value("cause").is_null(), "{:#}", told.record);
    let origin = answering();
    let proxy = settings(&origin.endpoint).start();
    let old =
        "POST / HTTP/1.0\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(proxy.send(old).status(), 200);
    assert_eq!(origin.requests()[0].fields.text("expect"), None);
}

/// HTTP/1.0 does not ask for it, and HTTP/1.1 allows it to be empty.
#[test]
fn a_request_need_not_say_who_is_asked() {
    let origin = answering();
    let proxy = settings(&origin.endpoint).start();
    for head in ["GET / HTTP/1.0", "GET / HTTP/1.1\r\nHost:"] {
        let told = proxy.send(format!("{head}\r\n\r\n"));
        assert_eq!(told.status(), 200, "{:#}", told.record);
        let asked = origin.requests().pop().expect("it arrived");
        assert_eq!(asked.fields.text("host").as_deref(), Some(origin.endpoint.as_str()));
    }
}

/// An origin may pay no heed to `Upgrade` (RFC 9110 section 7.8), and over HTTP/2 cannot.
#[test]
fn what_asks_for_another_protocol_is_asked_over_http2_all_the_same() {
    let origin = answering();
    let proxy = settings(&origin.endpoint).start();
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
    for fields in [h2c, "Connection: Upgrade\r\nUpgrade: websocket"] {
        let told = proxy.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n\r\n"));
        assert_eq!(told.status(), 200, "{:#}", told.record);
    }
    assert_eq!(origin.connections(), 1);
}

/// Many clients offer HTTP/2 with each request; it goes to the origin as any other does.
#[test]
fn an_offer_of_http2_costs_no_connection_of_its_own() {
    let origin = origin::Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let proxy = Settings::to(&origin).start();
    let fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
    for _ in 0..2 {
        let told = proxy.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n\r\n"));
        assert_eq!(told.status(), 200, "{:#}", told.record);
    }
    assert_eq!(origin.requests()[1].fields.text("upgrade"), None);
    assert_eq!(origin.connections(), 1);
}

/// The origin's time runs while it is the origin's turn, and an upload may take its own.
#[test]
fn an_upload_may_take_longer_than_an_answer() {
    let origin = answering();
    let proxy = settings(&origin.endpoint).with("timeouts", "read: 800ms").start();
    let told = proxy.tell(|client| {
        client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 12\r\n\r\n");
        for _ in 0..12 {
            assert!(!client.speaks_within(Duration::from_millis(80)), "it is not done");
            client.send("x");
        }
        client.receive("POST")
    });
    assert_eq!(told.status(), 200, "{:#}", told.record);
    assert!(told.value("cause").is_null(), "{:#}", told.record);
}
