//! Connections of HTTP/2 as a whole: limits, floods, the end.

use std::sync::mpsc;

use h2::Reason;
use rustix::process::Signal;

use super::{OK, ask};
use crate::rig::h2client::{Http2, field, fields, frame, get, hello};
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

/// Sends these frames and waits for the connection's end: what came.
fn to_the_end(proxy: &Proxy, frames: &[u8]) -> Vec<u8> {
    let mut client = proxy.connect();
    client.send([&hello(), frames].concat());
    until("the end of the connection", || (!client.fill()).then_some(()));
    client.buffered()
}

/// The codes of the GOAWAYs among these frames.
pub(super) fn farewells(mut bytes: &[u8]) -> Vec<u32> {
    let mut codes = Vec::new();
    while bytes.len() >= 9 {
        let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        let (head, rest) = bytes.split_at(9);
        let (payload, rest) = rest.split_at(usize::try_from(length).expect("it fits"));
        if head[3] == 7 {
            codes.push(u32::from_be_bytes([payload[4], payload[5], payload[6], payload[7]]));
        }
        bytes = rest;
    }
    codes
}

#[test]
fn what_the_codec_refuses_is_recorded() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().with("limits", "request_header: 4KiB").start();
    // More than is decoded at all.
    let large = (0..9).fold(http::Request::get("http://app.test/"), |request, nth| {
        request.header(format!("x-{nth}"), "y".repeat(4000))
    });
    let client = Http2::connect(proxy.address());
    let told = proxy.exchanges(1, || {
        let answer = client.ask(large.body(()).expect("a request")).expect("an answer");
        assert_eq!(answer.status, 431);
        Vec::new()
    });
    assert_eq!(told[0].text("cause"), "client_header_too_large", "{:#}", told[0].record);
    assert_eq!(told[0].text("evidence.setting"), "limits.request_header");
    // Fields that HTTP/2 does not know.
    for (name, value) in [("connection", "close"), ("transfer-encoding", "chunked"), ("X", "y")] {
        let before = proxy.log.lines();
        let told = proxy.exchange(|| {
            let mut client = proxy.connect();
            let bytes = [fields(), field(name, value)].concat();
            client.send([hello(), frame(1, 5, 1, &bytes)].concat());
            until("the record", || (proxy.log.lines() > before).then_some(()));
            None
        });
        assert_eq!(told.text("cause"), "client_request_malformed", "{name}: {:#}", told.record);
        assert_eq!(told.text("protocol"), "HTTP/2");
    }
    // The connection with the large one goes on.
    assert_eq!(proxy.exchange(|| client.get("/")).status(), 200);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_body_of_another_length_than_stated_is_malformed() {
    let origin = Origin::new(|mut connection| {
        connection.request();
    });
    let proxy = Settings::to(&origin).h2c().once().start();
    let told = proxy.exchange(|| {
        let mut client = proxy.connect();
        let head = [fields(), field("content-length", "9")].concat();
        client.send([hello(), frame(1, 4, 1, &head), frame(0, 1, 1, b"half")].concat());
        until("the record", || (proxy.log.lines() > 0).then_some(()));
        None
    });
    assert_eq!(told.text("cause"), "client_request_malformed", "{:#}", told.record);
    assert_eq!(told.text("evidence.rule"), "malformed HTTP/2 message");
}

#[test]
fn broken_frames_end_the_connection_and_are_recorded() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().start();
    // DATA on the connection itself; a header block that no decoder understands.
    for frames in [frame(0, 0, 0, b"x"), frame(1, 5, 1, &[0xff; 20])] {
        let told = proxy.exchange(|| {
            let codes = farewells(&to_the_end(&proxy, &frames));
            assert!(codes.iter().any(|code| *code != 0), "{codes:?}");
            None
        });
        assert_eq!(told.text("cause"), "client_request_malformed", "{:#}", told.record);
        assert_eq!(told.text("evidence.rule"), "broken HTTP/2 frames");
    }
}

#[test]
fn requests_taken_back_by_the_hundred_end_the_connection() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().with("log", "which: errors").start();
    let flood: Vec<u8> = (0..200_u32)
        .flat_map(|nth| {
            let stream = 2 * nth + 1;
            [frame(1, 5, stream, &fields()), frame(3, 0, stream, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    let codes = farewells(&to_the_end(&proxy, &flood));
    assert!(codes.contains(&u32::from(Reason::ENHANCE_YOUR_CALM)), "{codes:?}");
    // Nobody else suffers.
    let client = Http2::connect(proxy.address());
    assert_eq!(client.get("/").expect("an answer").status, 200);
    until("every one of them to be recorded", || {
        let metrics = proxy.metrics();
        let errors: u64 = metrics.causes().values().sum();
        let open = metrics.sum("whodunit_connections", &[("side", "client")]);
        (errors == proxy.log.lines() as u64 && open < 1.5).then_some(())
    });
}

#[test]
fn connections_are_counted_with_the_others() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().with("limits", "connections: 1").start();
    let client = Http2::connect(proxy.address());
    assert_eq!(proxy.exchange(|| client.get("/")).status(), 200);
    let told = proxy.get("/");
    assert_eq!((told.status(), told.text("cause")), (503, "proxy_overloaded"));
    assert_eq!(told.text("evidence.setting"), "limits.connections");
    client.leave();
    until("room for another", || {
        (proxy.metrics().sum("whodunit_connections", &[("side", "client")]) < 0.5).then_some(())
    });
    assert_eq!(ask(&proxy, get("/")).status(), 200);
}

#[test]
fn a_stop_lets_requests_end_and_takes_no_more() {
    let (came, arrived) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::new(move |mut connection| {
        while connection.request().is_some() {
            came.send(()).ok();
            wait.lock().expect("no panic").recv().ok();
            connection.send(OK);
        }
    });
    let mut proxy = Settings::to(&origin).h2c().start();
    let client = Http2::connect(proxy.address());
    let mut exchange = client.open(get("/"), true);
    arrived.recv().expect("the origin has it");
    proxy.process().signal(Signal::TERM);
    proxy.process().says("stopping", 0);
    go.send(()).expect("the origin waits");
    let answer = exchange.receive().expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    drop(exchange);
    assert!(client.told_to_go());
    assert_eq!(client.over(), None, "it ended in good order");
    assert!(proxy.process().ended().success());
    assert_eq!(proxy.log.records()[0]["status"], 200);
}

#[test]
fn an_idle_connection_does_not_hold_a_stop_up() {
    let origin = Origin::answering(OK);
    let mut proxy = Settings::to(&origin).h2c().start();
    // One that answers, and one that never does.
    let client = Http2::connect(proxy.address());
    assert_eq!(proxy.exchange(|| client.get("/")).status(), 200);
    let mut mute = proxy.connect();
    mute.send(hello());
    proxy.process().signal(Signal::TERM);
    assert!(proxy.process().ended().success());
    assert_eq!(client.over(), None, "it ended in good order");
    until("the end", || (!mute.fill()).then_some(()));
}

#[test]
fn a_changed_file_opens_and_closes_it() {
    let origin = Origin::answering(OK);
    let settings = |h2c: bool| {
        let settings = Settings::to(&origin).with("reload", "watch: false");
        if h2c { settings.h2c() } else { settings }
    };
    let mut proxy = settings(false).start();
    for h2c in [true, false, true] {
        proxy.rewrite(&settings(h2c));
        let done = proxy.metrics().sum("whodunit_config_reloads_total", &[]);
        proxy.process().signal(Signal::HUP);
        until("the change", || {
            (proxy.metrics().sum("whodunit_config_reloads_total", &[]) > done + 0.5).then_some(())
        });
        let answer = |bytes: Vec<u8>| bytes.starts_with(b"HTTP/1.1 400");
        let told = proxy.exchange(|| {
            if h2c {
                return Http2::connect(proxy.address()).get("/");
            }
            let mut client = proxy.connect();
            client.send(hello());
            let first = client.exactly(12);
            assert!(answer(first));
            None
        });
        assert_eq!(told.record["status"], if h2c { 200 } else { 400 });
    }
    assert!(!proxy.said().contains("takes a restart"), "{}", proxy.said());
}
