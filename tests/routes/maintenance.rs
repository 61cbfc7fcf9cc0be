use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use super::{both, saying};
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;
use crate::rig::until;

fn settings(origin: &Origin, maintenance: &str) -> Settings {
    Settings::to(origin)
        .with("reload", "watch: false")
        .route(&format!(
            "name: app, match: {{ path: /app }}, upstream: web, maintenance: {maintenance}"
        ))
        .route("upstream: web")
        .h2c()
}

#[test]
fn clients_are_told_that_it_is_planned_and_when_to_come_back() {
    let origin = saying("ok");
    let notice = "{ retry_after: 10m, message: \"Back at noon.\" }";
    let proxy = settings(&origin, notice).start();
    for told in both(&proxy, "GET", "/app/x", &[]) {
        assert_eq!((told.status(), told.text("cause")), (503, "maintenance"));
        assert_eq!((told.text("party"), told.text("certainty")), ("proxy", "proved"));
        assert_eq!(
            (told.text("route"), told.text("evidence.setting")),
            ("app", "routes[0].maintenance")
        );
        assert_eq!(told.answer().fields.all("retry-after"), ["600"]);
        let body = told.answer().text();
        for said in ["as its operators planned", "Back at noon."] {
            assert!(body.contains(said), "{body}");
        }
        assert_eq!(proxy.get("/").status(), 200);
    }
    let counted = proxy.metrics().sum("whodunit_requests_total", &[("route", "app")]);
    assert_eq!(counted.to_string(), "2");
}

#[test]
fn strangers_get_the_message_and_nothing_else() {
    let origin = saying("ok");
    let proxy = settings(&origin, "{ message: \"Back at noon.\" }").discreet().start();
    for told in both(&proxy, "GET", "/app", &[]) {
        assert_eq!(told.answer().fields.all("retry-after"), ["300"]);
        let body = told.answer().text();
        assert!(body.contains("planned") && body.contains("Back at noon."), "{body}");
        assert!(!body.contains("routes[0]"), "{body}");
    }
}

#[test]
fn those_who_are_let_in_see_the_site() {
    let origin = saying("ok");
    let proxy = settings(&origin, "{ allow: [ 192.0.2.0/24, \"2001:db8::7\" ] }").start();
    for (client, status) in [("192.0.2.9", 200), ("2001:db8::7", 200), ("198.51.100.1", 503)] {
        // The peer is a proxy that is trusted, so its word about the client counts.
        for told in both(&proxy, "GET", "/app", &[("X-Forwarded-For", client)]) {
            assert_eq!(told.status(), status, "{client}");
        }
    }
    assert_eq!(proxy.get("/app").status(), 503);
}

#[test]
fn it_is_switched_on_and_off_without_losing_a_request() {
    let origin = saying("ok");
    let mut proxy = settings(&origin, "false").start();
    let (on, off) = (settings(&origin, "true"), settings(&origin, "{ on: false }"));
    let (address, id) = (proxy.address(), proxy.id());
    let over = AtomicBool::new(false);
    let statuses = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut statuses = Vec::new();
            let mut client = crate::rig::client::Client::connect(address);
            while !over.load(Ordering::SeqCst) {
                client.send("GET /app HTTP/1.1\r\nHost: app.test\r\n\r\n");
                let answer = client.receive("GET").expect("an answer");
                if answer.fields.text("connection").as_deref() == Some("close") {
                    client = crate::rig::client::Client::connect(address);
                }
                statuses.push(answer.status);
            }
            statuses
        });
        let reloaded =
            || proxy.metrics().sum("whodunit_config_reloads_total", &[("result", "success")]);
        until("a first answer", || (!proxy.log.records().is_empty()).then_some(()));
        for (turn, change) in [&on, &off, &on, &off].into_iter().enumerate() {
            let (before, recorded) = (reloaded(), proxy.log.records().len());
            proxy.rewrite(change);
            let pid = rustix::process::Pid::from_raw(i32::try_from(id).expect("an id"));
            rustix::process::kill_process(pid.expect("an id"), Signal::HUP).expect("it runs");
            until("the change to be taken up", || (reloaded() > before).then_some(()));
            let status = if turn % 2 == 0 { 503 } else { 200 };
            until("an answer after it", || {
                let records = proxy.log.records();
                records[recorded..].iter().any(|record| record["status"] == status).then_some(())
            });
        }
        over.store(true, Ordering::SeqCst);
        asking.join().expect("asking does not panic")
    });
    let mut changes = statuses.clone();
    changes.dedup();
    assert_eq!(changes, [200, 503, 200, 503, 200]);
    assert!(proxy.process().said().contains("ready"));
    assert_eq!(proxy.log.wait(statuses.len()).len(), statuses.len());
}
