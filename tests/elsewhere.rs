//! Listeners that send their clients to HTTPS.

use crate::rig::h2client::{Http2, get};
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn sending(origin: &Origin, redirect: &str) -> Proxy {
    Settings::to(origin).listening(&format!("redirect: {redirect}")).h2c().start()
}

/// Where this request line and this host are sent.
fn sent(proxy: &Proxy, line: &str, host: &str) -> (u16, String) {
    let told = proxy.send(format!("{line}\r\nHost: {host}\r\n\r\n"));
    (told.status(), location(&told))
}

fn location(told: &Told) -> String {
    told.answer().fields.text("location").unwrap_or_default()
}

#[test]
fn every_request_is_sent_to_the_same_place_by_https() {
    let origin = Origin::answering(OK);
    let proxy = sending(&origin, "https");
    for (line, host, to) in [
        ("GET / HTTP/1.1", "app.test", "https://app.test/"),
        (
            "GET /a%20b/../c?q=1&r=%2F HTTP/1.1",
            "app.test:8080",
            "https://app.test/a%20b/../c?q=1&r=%2F",
        ),
        ("POST //other.test/x HTTP/1.1", "App.Test", "https://App.Test//other.test/x"),
        ("HEAD /x HTTP/1.1", "[::1]:80", "https://[::1]/x"),
        ("GET http://app.test/y?z HTTP/1.1", "app.test", "https://app.test/y?z"),
        ("OPTIONS * HTTP/1.1", "app.test", "https://app.test"),
        ("GET /x HTTP/1.0", "app.test", "https://app.test/x"),
    ] {
        assert_eq!(sent(&proxy, line, host), (308, to.to_owned()), "{line}");
    }
    let client = Http2::connect(proxy.address());
    let told = proxy.exchange(|| client.ask(get("/x?y=1")));
    assert_eq!((told.status(), location(&told)), (308, "https://app.test/x?y=1".to_owned()));
    assert!(origin.requests().is_empty());
}

#[test]
fn it_is_an_answer_of_ours_and_no_error() {
    let origin = Origin::answering(OK);
    let proxy = sending(&origin, "https");
    let mut client = proxy.connect();
    // The connection goes on.
    for _ in 0..2 {
        let told = proxy.exchange(|| {
            client.send("GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n");
            client.receive("GET")
        });
        assert_eq!((told.value("status"), told.value("generated")), (&308.into(), &true.into()));
        assert!(told.value("cause").is_null() && told.value("upstream").is_null());
        assert_eq!(told.answer().fields.text("proxy-status"), None);
        assert_eq!(told.answer().fields.text("content-length").as_deref(), Some("0"));
    }
}

#[test]
fn the_port_the_status_and_the_exceptions_can_be_chosen() {
    let origin = Origin::answering(OK);
    let except = "except: [ /.well-known/acme-challenge/ ]";
    let proxy = sending(&origin, &format!("{{ port: 8443, status: 301, {except} }}"));
    let to = |line| sent(&proxy, line, "app.test:8080");
    assert_eq!(to("GET /x HTTP/1.1"), (301, "https://app.test:8443/x".to_owned()));
    assert_eq!(to("GET /.well-known/acme-challenge/t HTTP/1.1"), (200, String::new()));
    assert_eq!(to("GET /.well-known/other HTTP/1.1").0, 301);
    assert_eq!(origin.requests().len(), 1);
}

/// Nothing of the request gets into the field that is not checked, and what cannot be sent anywhere is
/// refused as ever.
#[test]
fn what_is_no_request_is_sent_nowhere() {
    let origin = Origin::answering(OK);
    let proxy = sending(&origin, "https");
    for (bytes, status) in [
        ("GET / HTTP/1.1\r\nHost: a.test\rSet-Cookie: x=y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: user@a.test\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.test/b\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("TRACE / HTTP/1.1\r\nHost: a.test\r\n\r\n", 405),
        ("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", 405),
    ] {
        let told = proxy.send(bytes);
        assert_eq!((told.status(), location(&told)), (status, String::new()), "{bytes}");
    }
    assert!(origin.requests().is_empty());
}

#[test]
fn a_reload_begins_and_ends_it() {
    let origin = Origin::answering(OK);
    let settings = Settings::to(&origin);
    let proxy = settings.clone().start();
    assert_eq!(proxy.get("/").status(), 200);
    proxy.rewrite(&settings.clone().listening("redirect: https"));
    until("the redirect", || (proxy.get("/").status() == 308).then_some(()));
    proxy.rewrite(&settings);
    until("the end of it", || (proxy.get("/").status() == 200).then_some(()));
}
