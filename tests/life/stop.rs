//! How the process stops, and what it gives back meanwhile.

use std::sync::mpsc;

use rustix::process::Signal;

use super::stage::{descriptors, memory};
use crate::operations::{GET, OK};
use crate::rig::client::{Client, Over};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

/// An origin that tells of each request and does not answer.
fn silent() -> (Origin, mpsc::Receiver<()>) {
    let (arrived, arrivals) = mpsc::channel();
    let arrived = std::sync::Mutex::new(arrived);
    let origin = Origin::new(move |mut connection| {
        connection.request();
        arrived.lock().expect("nobody panicked").send(()).expect("the test waits");
        connection.hold();
    });
    (origin, arrivals)
}

/// The one record says that the proxy stopped.
fn stopped(proxy: &Proxy, phase: &str) {
    let records = proxy.log.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    for (field, value) in
        [("cause", "proxy_stopping"), ("party", "proxy"), ("phase", phase), ("certainty", "proved")]
    {
        assert_eq!(records[0][field], value, "{records:#?}");
    }
}

#[test]
fn before_it_stops_it_says_so_for_a_while() {
    let origin = Origin::answering(OK);
    let mut proxy = Settings::to(&origin).with("shutdown", "delay: 1h, grace: 1h").start();
    let mut kept = proxy.connect();
    proxy.process().signal(Signal::TERM);
    until("/readyz to say so", || (proxy.ask("/readyz").status == 503).then_some(()));
    assert_eq!(proxy.ask("/livez").status, 200);
    assert_eq!(proxy.get("/").status(), 200, "connections are taken as before");
    kept.send(GET);
    let answer = kept.receive("GET").expect("an answer");
    assert_eq!(answer.status, 200);
    assert_ne!(answer.fields.text("connection").as_deref(), Some("close"), "as before");
    proxy.process().signal(Signal::TERM);
    assert!(proxy.process().ended().success(), "told again, it waits no longer");
}

#[test]
fn nothing_is_taken_up_on_the_way_out() {
    let (origin, arrivals) = silent();
    let settings = Settings::to(&origin).with("reload", "watch: false");
    let mut proxy = settings.clone().start();
    let mut client = proxy.connect();
    client.send(GET);
    arrivals.recv().expect("the origin is asked");
    proxy.process().signal(Signal::TERM);
    until("the signal to be heard", || proxy.said().contains("stopping").then_some(()));
    proxy.rewrite(&settings.listener("127.0.0.1:0"));
    proxy.process().signal(Signal::HUP);
    proxy.process().says("configuration not reloaded: this process is about to end", 0);
    assert_eq!(proxy.said().matches("listening on").count(), 1, "{}", proxy.said());
    proxy.process().signal(Signal::TERM);
    assert!(proxy.process().ended().success());
}

#[test]
fn after_the_delay_it_stops_by_itself() {
    let origin = Origin::answering(OK);
    let mut proxy = Settings::to(&origin).with("shutdown", "delay: 300ms").start();
    proxy.process().signal(Signal::INT);
    assert!(proxy.process().ended().success());
    assert!(proxy.said().trim_end().ends_with("stopped"), "{}", proxy.said());
}

#[test]
fn told_to_quit_it_waits_for_nobody() {
    for signals in [&[Signal::QUIT][..], &[Signal::INT, Signal::INT]] {
        let (origin, arrivals) = silent();
        let mut proxy = Settings::to(&origin).with("shutdown", "delay: 1h, grace: 1h").start();
        let mut client = proxy.connect();
        client.send(GET);
        arrivals.recv().expect("the origin is asked");
        for (turn, signal) in signals.iter().enumerate() {
            // The same signal twice at once is one.
            until("the signal before to be heard", || {
                (turn == 0 || proxy.ask("/readyz").status == 503).then_some(())
            });
            proxy.process().signal(*signal);
        }
        assert!(proxy.process().ended().success());
        stopped(&proxy, "wait");
    }
}

#[test]
fn a_tunnel_ends_with_the_grace() {
    const ASK: &str = "GET /chat HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let origin = Origin::new(|mut connection: Conversation| {
        connection.request();
        connection.send(SWITCH);
        connection.hold();
    });
    let mut proxy = Settings::to(&origin).with("shutdown", "grace: 300ms").start();
    let mut client = proxy.connect();
    client.send(ASK);
    assert_eq!(client.receive("GET").expect("an answer").status, 101);
    proxy.process().signal(Signal::TERM);
    assert!(proxy.process().ended().success());
    stopped(&proxy, "receive");
    assert_eq!(proxy.log.records()[0]["status"], 101);
}

#[test]
fn connections_that_are_used_are_told_and_idle_ones_are_closed() {
    let origin = Origin::answering(OK);
    let mut proxy = Settings::to(&origin).with("shutdown", "grace: 1h").start();
    let (mut used, mut idle) = (proxy.connect(), proxy.connect());
    idle.send(GET);
    assert_eq!(idle.receive("GET").expect("an answer").status, 200);
    used.send(GET);
    assert_eq!(used.receive("GET").expect("an answer").status, 200);
    proxy.process().signal(Signal::TERM);
    until("the signal to be heard", || proxy.said().contains("stopping").then_some(()));
    used.send(GET);
    let answer = used.receive("GET").expect("it is not closed under the request");
    let told = answer.fields.text("connection");
    assert_eq!((answer.status, told.as_deref()), (200, Some("close")));
    assert_eq!(used.over(), Over::Closed);
    assert_eq!(idle.over(), Over::Closed);
    assert!(proxy.process().ended().success());
}

#[test]
fn reloads_give_back_what_they_take() {
    let origin = Origin::answering(OK);
    let settings = Settings::to(&origin).with("reload", "watch: false");
    let mut proxy = settings.clone().start();
    let mut reloads = 0_u32;
    let mut reload = |proxy: &mut Proxy, times: u32| {
        for _ in 0..times {
            let changed = if reloads.is_multiple_of(2) { "read: 61s" } else { "read: 62s" };
            proxy.rewrite(&settings.clone().with("timeouts", changed));
            proxy.process().signal(Signal::HUP);
            reloads += 1;
            until("the change to be taken up", || {
                let metrics = proxy.metrics();
                let done = metrics.sum("whodunit_config_reloads_total", &[("result", "success")]);
                (done >= f64::from(reloads)).then_some(())
            });
            let mut client = Client::connect(proxy.address());
            client.send(GET);
            assert_eq!(client.receive("GET").expect("an answer").status, 200);
        }
    };
    // What is only ever made once is there by then.
    reload(&mut proxy, 10);
    let (files, kib) = (descriptors(proxy.id()), memory(proxy.id()));
    reload(&mut proxy, 50);
    until("descriptors to be given back", || (descriptors(proxy.id()) <= files + 4).then_some(()));
    let now = memory(proxy.id());
    assert!(now < kib + 8 * 1024, "{now} KiB after 50 reloads, and {kib} before them");
}
