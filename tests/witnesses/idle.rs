//! The origin's own idle timeout: learned, shown, and warned of.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::{OK, POST, address};
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

/// What lies idle for less than a second teaches nothing, nor does what is closed within a second.
const IDLE: Duration = Duration::from_millis(1_100);
const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// What was learned is shown, and warned of, once.
fn warned(proxy: &Proxy, origin: &Origin) {
    let known = address(proxy, &origin.endpoint);
    let learned = known["idle_timeout_ms"].as_u64().expect("it was learned");
    assert!(learned >= 1_000, "{known:#}");
    assert!(known["warning"].as_str().is_some_and(|it| it.contains("timeouts.idle")), "{known:#}");
    let gauge = [("endpoint", origin.endpoint.as_str())];
    let shown = proxy.metrics().sum("whodunit_upstream_idle_timeout_seconds", &gauge);
    assert!(shown >= 1.0, "{shown}");
    let warning = format!("{} (upstream `web`) closes idle connections after ", origin.endpoint);
    until("the warning", || proxy.said().contains(&warning).then_some(()));
    let said = proxy.said();
    assert_eq!(said.matches(&warning).count(), 1, "{said}");
    let line = said.lines().find(|line| line.starts_with(&warning)).expect("it was said");
    assert!(line.contains("`timeouts.idle` keeps them for 60s"), "{line}");
}

#[test]
fn it_is_learned_from_lost_races() {
    let together = Arc::new(Barrier::new(2));
    let origin = Origin::new(move |mut connection| {
        connection.request();
        // Neither of two connections is free again before there are both.
        together.wait();
        connection.send(OK);
        connection.request();
        connection.reset();
    });
    let proxy = Settings::to(&origin).once().start();
    for round in 0..2 {
        proxy.exchanges(2, || {
            let mut clients = [proxy.connect(), proxy.connect()];
            for client in &mut clients {
                client.send(GET);
            }
            clients.iter_mut().map(|client| client.receive("GET")).collect()
        });
        std::thread::sleep(IDLE);
        for race in 0..2 {
            let told = proxy.send(POST);
            assert_eq!(told.text("cause"), "keepalive_race");
            let learned = told.value("evidence.origin_idle_ms").as_u64();
            let fourth = (round, race) == (1, 1);
            assert_eq!(learned.is_some(), fourth, "it takes three: {:#}", told.record);
            let certainty = if fourth { "proved" } else { "likely" };
            assert_eq!(told.text("certainty"), certainty, "{:#}", told.record);
        }
    }
    warned(&proxy, &origin);
}

#[test]
fn it_is_learned_before_any_request_is_lost() {
    let closed = Arc::new(AtomicUsize::new(0));
    let closings = closed.clone();
    let origin = Origin::new(move |mut connection| {
        if connection.request().is_some() {
            connection.send(OK);
            if !connection.left_within(IDLE) {
                connection.close();
                closings.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let proxy = Settings::to(&origin).start();
    for round in 1..=3 {
        let told = proxy.get("/");
        assert!(told.value("cause").is_null(), "{:#}", told.record);
        until("the origin to close", || (closed.load(Ordering::SeqCst) >= round).then_some(()));
    }
    let known = || address(&proxy, &origin.endpoint)["idle_timeout_ms"].as_u64();
    until("the proxy to learn", || known().filter(|learned| *learned >= 1_000));
    assert!(!proxy.said().contains("closes idle connections"), "nobody asked yet");
    // The next request finds it out, before any was lost.
    assert_eq!(proxy.get("/").status(), 200);
    warned(&proxy, &origin);
}
