//! What the proxies in front tell.

use std::process::Command;

use super::porch::Porch;
use crate::rig::client::{Client, Over};
use crate::rig::h2client::{fields, frame, hello};
use crate::rig::message::whole_response;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n";
pub(super) const LINE: &str = "PROXY TCP4 203.0.113.9 192.0.2.1 5000 443\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

pub(super) fn before(origin: &Origin) -> Settings {
    Settings::to(origin).proxied()
}

/// A block of version 2.
pub(super) fn block(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    [SIGNATURE, &[command, family], &length, content].concat()
}

/// That of the same client as [`LINE`], with something more that nobody knows.
fn same() -> Vec<u8> {
    let ends = [203, 0, 113, 9, 192, 0, 2, 1, 0x13, 0x88, 0x01, 0xBB];
    block(0x21, 0x11, &[&ends[..], &[0xE0, 0, 2, 1, 2]].concat())
}

/// A header and a request, sent together.
fn told(proxy: &Proxy, header: &[u8]) -> Told {
    proxy.tell(|client| {
        client.send([header, GET.as_bytes()].concat());
        client.receive("GET")
    })
}

fn is_ours(told: &Told) {
    assert!(told.text("client").starts_with("127.0.0.1:"), "{:#}", told.record);
    assert!(told.value("told_by").is_null(), "{:#}", told.record);
}

#[test]
fn the_client_is_whom_a_trusted_proxy_names() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).start();
    for header in [LINE.as_bytes().to_vec(), same()] {
        let told = told(&proxy, &header);
        assert_eq!(told.status(), 200);
        assert_eq!(told.text("client"), "203.0.113.9:5000");
        assert!(told.text("told_by").starts_with("127.0.0.1:"), "{:#}", told.record);
        assert_eq!(told.text("listener"), proxy.address().to_string());
        let seen = origin.requests().pop().expect("it arrived");
        assert_eq!(seen.fields.text("x-forwarded-for").as_deref(), Some("203.0.113.9"));
    }
}

#[test]
fn it_holds_for_all_requests_of_the_connection_however_the_header_comes() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).start();
    for header in [LINE.as_bytes().to_vec(), same()] {
        let mut client = proxy.connect();
        for byte in &header {
            client.send([*byte]);
        }
        for _ in 0..3 {
            let told = proxy.exchange(|| {
                client.send(GET);
                client.receive("GET")
            });
            assert_eq!((told.status(), told.text("client")), (200, "203.0.113.9:5000"));
        }
    }
}

#[test]
fn a_connection_that_is_nobody_elses_stays_the_proxys_own() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).start();
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ff::1 ff::2 1 2\r\n".to_vec(),
        block(0x20, 0, &[]),
        block(0x20, 0x11, &[9; 12]),
        block(0x21, 0, &[]),
        block(0x21, 0x31, &[b'/'; 216]),
    ] {
        let told = told(&proxy, &header);
        assert_eq!(told.status(), 200, "{}", header.escape_ascii());
        is_ours(&told);
    }
}

/// Whom the header names is the peer, for trust as well.
#[test]
fn a_client_is_believed_no_more_than_without_the_proxy() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).start();
    for (from, sent) in [("203.0.113.9", "203.0.113.9"), ("10.0.0.7", "198.51.100.1, 10.0.0.7")] {
        let told = proxy.tell(|client| {
            client.send(format!(
                "PROXY TCP4 {from} 192.0.2.1 5000 443\r\nGET / HTTP/1.1\r\nHost: app.test\r\n\
                 X-Forwarded-For: 198.51.100.1\r\n\r\n"
            ));
            client.receive("GET")
        });
        assert_eq!(told.status(), 200);
        let seen = origin.requests().pop().expect("it arrived");
        assert_eq!(seen.fields.text("x-forwarded-for").as_deref(), Some(sent));
    }
    // Nobody outside is told where it broke.
    drop(origin);
    let told = told(&proxy, LINE.as_bytes());
    assert_eq!(told.text("cause"), "connect_refused");
    let said = told.answer().fields.text("proxy-status").expect("it says who failed");
    assert!(!said.contains("next-hop"), "{said}");
}

#[test]
fn a_trusted_proxy_that_tells_nothing_is_refused() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).h2c().start();
    let told = proxy.send(GET);
    assert_eq!((told.status(), told.text("cause")), (400, "client_proxy_protocol_invalid"));
    assert_eq!(told.text("evidence.rule"), "no PROXY protocol header");
    assert_eq!((told.text("evidence.looks_like"), told.text("path")), ("HTTP", "/x"));
    is_ours(&told);
    for (bytes, rule) in [
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n".to_vec(), "PROXY protocol line without its six parts"),
        (b"PROXY TCP4 a b 1 2\r\n".to_vec(), "invalid address in the PROXY protocol header"),
        ([b"PROXY UNKNOWN ", &[b'f'; 200][..]].concat(), "PROXY protocol header too long"),
        (block(0x22, 0x11, &[9; 12]), "unknown command in the PROXY protocol header"),
        (block(0x21, 0x11, &[9; 4090]), "PROXY protocol header too long"),
        (b"\x16\x03\x01\x02\x00\x01".to_vec(), "no PROXY protocol header"),
        (hello(), "no PROXY protocol header"),
    ] {
        let told = proxy.send([&bytes[..], GET.as_bytes()].concat());
        assert_eq!((told.status(), told.text("cause")), (400, "client_proxy_protocol_invalid"));
        assert_eq!(told.text("evidence.rule"), rule);
    }
    assert!(origin.requests().is_empty());
}

#[test]
fn nobody_waits_for_a_header_for_ever() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).with("timeouts", "request_header: 300ms").start();
    let told = proxy.tell(|client| {
        client.send("PROXY TCP4 ");
        client.receive("GET")
    });
    assert_eq!((told.status(), told.text("cause")), (408, "client_slow"));
    assert_eq!(told.text("evidence.part"), "PROXY protocol header");
    assert_eq!(told.text("evidence.setting"), "timeouts.request_header");
    let told = proxy.tell(|client| {
        client.send(&SIGNATURE[..7]);
        client.finish();
        client.receive("GET")
    });
    assert_eq!(told.text("cause"), "client_aborted");
    // Of somebody who only looks whether anybody listens there is nothing to say.
    let mut silent = proxy.connect();
    assert_eq!(silent.over(), Over::Closed);
    let mut brief = proxy.connect();
    brief.finish();
    assert_eq!(brief.over(), Over::Closed);
    assert_eq!(told_lines(&proxy), 2);
}

fn told_lines(proxy: &Proxy) -> usize {
    proxy.log.records().len()
}

#[test]
fn from_others_no_header_is_taken() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).with("forwarded", "trusted: [ 10.0.0.0/8 ]").start();
    let plain = proxy.send(GET);
    assert_eq!(plain.status(), 200);
    is_ours(&plain);
    for header in [LINE.as_bytes().to_vec(), same()] {
        let told = told(&proxy, &header);
        assert_eq!((told.status(), told.text("cause")), (400, "client_request_malformed"));
        assert_eq!(told.text("evidence.looks_like"), "PROXY protocol");
        is_ours(&told);
    }
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_listener_that_does_not_ask_for_one_takes_none() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let told = told(&proxy, LINE.as_bytes());
    assert_eq!((told.status(), told.text("cause")), (400, "client_request_malformed"));
}

#[test]
fn a_connection_of_http2_is_introduced_as_well() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).h2c().start();
    let mut client: Client = proxy.connect();
    let before = proxy.log.lines();
    client.send([LINE.as_bytes(), &hello(), &frame(1, 5, 1, &fields())].concat());
    let records = proxy.log.wait(before + 1);
    assert_eq!(records[0]["protocol"], "HTTP/2");
    assert_eq!(
        (&records[0]["status"], &records[0]["client"]),
        (&200.into(), &"203.0.113.9:5000".into())
    );
}

#[test]
fn what_one_proxy_tells_is_told_to_the_next() {
    let origin = Origin::answering(OK);
    let porch = Porch::before(&origin.endpoint);
    let settings = Settings::endpoints(&[&porch.endpoint]).having("proxy_protocol: v1");
    let proxy = settings.proxied().start();
    assert_eq!(told(&proxy, &same()).status(), 200);
    assert_eq!(String::from_utf8_lossy(&porch.greetings()[0]), LINE);
}

#[test]
fn each_client_has_connections_of_its_own() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).with("limits", "connections_per_client: 1").start();
    let from = |ip: &str| format!("PROXY TCP4 {ip} 192.0.2.1 5000 443\r\n");
    let mut kept = Vec::new();
    for ip in ["203.0.113.9", "203.0.113.8"] {
        let mut client = proxy.connect();
        let told = proxy.exchange(|| {
            client.send([&from(ip), GET].concat());
            client.receive("GET")
        });
        assert_eq!(told.status(), 200);
        kept.push(client);
    }
    let full = told(&proxy, from("203.0.113.9").as_bytes());
    assert_eq!((full.status(), full.text("cause")), (429, "rate_limited"));
    assert_eq!(full.text("client"), "203.0.113.9:5000");
    assert!(full.text("told_by").starts_with("127.0.0.1:"));
}

#[test]
fn connections_that_come_after_a_reload_go_by_the_new_terms() {
    let origin = Origin::answering(OK);
    let settings = Settings::to(&origin);
    let proxy = settings.clone().start();
    let mut old = proxy.connect();
    let mut again = || {
        proxy.exchange(|| {
            old.send(GET);
            old.receive("GET")
        })
    };
    is_ours(&again());
    proxy.rewrite(&settings.proxied());
    until("the new terms", || proxy.said().contains("configuration reloaded").then_some(()));
    is_ours(&again());
    assert_eq!(told(&proxy, LINE.as_bytes()).text("client"), "203.0.113.9:5000");
}

#[test]
fn curl_speaks_it() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin).h2c().start();
    let url = format!("http://{}/x", proxy.address());
    for http2 in [false, true] {
        let told = proxy.exchange(|| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--include", "--noproxy", "*", "--haproxy-protocol"]);
            curl.args(["--max-time", "20"]).args(http2.then_some("--http2-prior-knowledge"));
            let mut said = curl.arg(&url).output().expect("curl is there").stdout;
            if let Some(rest) = said.strip_prefix(b"HTTP/2 ") {
                said = [b"HTTP/1.1 ", rest].concat();
            }
            let mut response = whole_response(&said, "GET").expect("an answer");
            response.http2 = http2;
            Some(response)
        });
        assert_eq!(told.status(), 200);
        assert_eq!(told.text("client"), told.text("told_by"), "curl tells of itself");
    }
}
