//! The origin's own idle timeout: learned, shown, and warned of.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::{OK, POST, address};
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;
use crate::rig::until;

/// What lies idle for less than a second teaches nothing.
const IDLE: Duration = Duration::from_millis(1_100);
/// One more than it takes to learn.
const CONNECTIONS: usize = 4;

#[test]
fn it_is_learned_from_lost_races_shown_and_warned_of_once() {
    let together = Arc::new(Barrier::new(CONNECTIONS));
    let origin = Origin::new(move |mut connection| {
        connection.request();
        // No connection is free again before there are as many as the test needs.
        together.wait();
        connection.send(OK);
        connection.request();
        connection.close();
    });
    let proxy = Settings::to(&origin).once().start();
    proxy.exchanges(CONNECTIONS, || {
        let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| proxy.connect()).collect();
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        }
        clients.iter_mut().map(|client| client.receive("GET")).collect()
    });
    std::thread::sleep(IDLE);
    for races in 1..=CONNECTIONS {
        let told = proxy.send(POST);
        assert_eq!(told.text("cause"), "keepalive_race");
        let learned = told.value("evidence.origin_idle_ms").as_u64();
        assert_eq!(learned.is_some(), races == CONNECTIONS, "it takes three: {:#}", told.record);
        let certainty = if learned.is_some() { "proved" } else { "likely" };
        assert_eq!(told.text("certainty"), certainty, "{:#}", told.record);
    }
    let known = address(&proxy, &origin.endpoint);
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
