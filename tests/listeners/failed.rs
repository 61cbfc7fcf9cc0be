//! Handshakes that come to nothing are recorded, and whoever speaks plain HTTP is told.

use std::io::Write;
use std::net::TcpStream;

use super::{OK, own, proxy};
use crate::rig::certificates::Authority;
use crate::rig::client::Client;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::secured::Wants;
use crate::rig::settings::Settings;

/// What is recorded of a connection that comes to nothing.
fn recorded(proxy: &Proxy, connect: impl FnOnce()) -> Told {
    let told = proxy.exchange(|| {
        connect();
        None
    });
    assert_eq!(told.text("cause"), "client_tls_failed", "{:#}", told.record);
    assert_eq!((told.text("party"), told.text("phase")), ("client", "tls"), "{:#}", told.record);
    assert_eq!(told.text("listener"), proxy.address().to_string());
    assert!(told.text("client").starts_with("127.0.0.1:"), "{:#}", told.record);
    told
}

#[test]
fn what_the_client_refuses_is_recorded() {
    let (_, own) = own();
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "");
    let strict = Wants::anything().trusting(&Authority::new("another")).speaking(&["http/1.1"]);
    let told = recorded(&proxy, || {
        strict.connect(proxy.address(), "app.test").err().expect("it is not trusted");
    });
    assert_eq!(told.text("evidence.rule"), "the client refused the certificate");
    assert_eq!(told.text("evidence.alert"), "unknown_ca");
    assert_eq!(told.text("evidence.sni"), "app.test");
    assert_eq!(told.text("evidence.versions"), "TLS 1.3, TLS 1.2");
    assert_eq!(told.text("evidence.offered"), "http/1.1");
    assert_eq!(told.text("certainty"), "proved");
}

#[test]
fn what_cannot_be_agreed_on_is_recorded() {
    let (_, own) = own();
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "min_version: \"1.3\"");
    let old = Wants::anything().only(&rustls::version::TLS12);
    let told = recorded(&proxy, || {
        old.connect(proxy.address(), "app.test").err().expect("it is too old");
    });
    assert_eq!(told.text("evidence.rule"), "no version of TLS in common");
    assert_eq!(told.text("evidence.versions"), "TLS 1.2");
    let odd = Wants::anything().speaking(&["gopher"]);
    let told = recorded(&proxy, || {
        let error = odd.connect(proxy.address(), "app.test").err().expect("nobody speaks that");
        assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    });
    assert_eq!(told.text("evidence.rule"), "no protocol in common (ALPN)");
    assert_eq!(told.text("evidence.offered"), "gopher");
}

#[test]
fn what_is_no_tls_is_recorded() {
    let (_, own) = own();
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "");
    let told = recorded(&proxy, || {
        let mut client = proxy.connect();
        client.send("SSH-2.0-OpenSSH_9.2\r\n");
        client.over();
    });
    assert_eq!(told.text("evidence.rule"), "no TLS");
    assert_eq!(told.text("evidence.looks_like"), "SSH");
    let told = recorded(&proxy, || {
        let mut client = proxy.connect();
        client.send(b"\x16\x03\x01\x00\x05hello");
        client.over();
    });
    assert_eq!(told.text("evidence.rule"), "a broken message");
}

#[test]
fn who_leaves_in_the_middle_is_recorded_and_who_says_nothing_is_not() {
    let (_, own) = own();
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "");
    for _ in 0..3 {
        drop(TcpStream::connect(proxy.address()).expect("it listens"));
        proxy.connect().reset();
    }
    let told = recorded(&proxy, || {
        let mut client = TcpStream::connect(proxy.address()).expect("it listens");
        client.write_all(b"\x16\x03\x01\x02\x00\x01\x00").expect("it takes them");
    });
    assert_eq!(told.text("evidence.rule"), "the client left in the middle of it");
    assert_eq!(told.text("evidence.left"), "closed");
}

#[test]
fn a_handshake_has_a_time_limit() {
    let (_, own) = own();
    let origin = Origin::answering(OK);
    let settings = Settings::to(&origin).secured(&[&own], "");
    let proxy = settings.with("timeouts", "request_header: 200ms").start();
    let told = recorded(&proxy, || {
        let mut client = proxy.connect();
        client.send(b"\x16\x03\x01\x02\x00\x01\x00");
        client.over();
    });
    assert_eq!(told.text("evidence.rule"), "not complete in time");
    assert_eq!(told.text("evidence.setting"), "timeouts.request_header");
    assert_eq!(told.value("evidence.limit_ms"), 200);
    // Nobody has to say anything.
    let mut silent = proxy.connect();
    silent.over();
    assert_eq!(proxy.log.records().len(), 1);
}

#[test]
fn plain_http_is_answered_readably() {
    let (_, own) = own();
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "");
    let long = format!("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n", 1 << 20);
    let told = proxy.tell(|client| {
        client.send(long);
        client.upload(1 << 20);
        client.receive("POST")
    });
    assert_eq!((told.status(), told.text("cause")), (400, "client_plain_http_on_tls_port"));
    assert_eq!(told.text("path"), "/x");
    assert_eq!(told.text("evidence.looks_like"), "HTTP/1.1");
    assert!(told.answer().text().contains("https://"), "{}", told.answer().text());
    assert_eq!(told.answer().fields.text("connection").as_deref(), Some("close"));
    // The beginning of a method may come in pieces.
    let told = proxy.tell(|client: &mut Client| {
        for piece in ["G", "ET / HT", "TP/1.1\r\nHost: app.test\r\n", "\r\n"] {
            client.send(piece);
        }
        client.receive("GET")
    });
    assert_eq!(told.text("cause"), "client_plain_http_on_tls_port");
}
