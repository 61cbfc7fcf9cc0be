//! A changed configuration: what was found holds, and nobody goes on checking for the one before.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use rustix::process::Signal;

use super::{OFTEN, OK, becomes, standing};
use crate::rig::dns::{Answer, Dns};
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

/// Has the proxy take these settings up.
fn reload(proxy: &mut Proxy, settings: &Settings) {
    let taken = |proxy: &Proxy| {
        proxy.metrics().sum("whodunit_config_reloads_total", &[("result", "success")])
    };
    let before = taken(proxy);
    proxy.rewrite(settings);
    proxy.process().signal(Signal::HUP);
    until("the change", || (taken(proxy) > before + 0.5).then_some(()));
}

#[test]
fn what_was_found_outlives_a_change_that_does_not_concern_it() {
    let (closed, origin) = (Refusing::new(), Origin::answering(OK));
    let settings = |health: &str, more: &str| {
        Settings::endpoints(&[&closed.endpoint, &origin.endpoint])
            .with("reload", "watch: false")
            .having(&format!("health: {{ {health} }}, {more}"))
    };
    let mut proxy = settings(OFTEN, "max_requests: 10").start();
    let out = becomes(&proxy, &closed.endpoint, "unhealthy");
    for most in 11..14 {
        reload(&mut proxy, &settings(OFTEN, &format!("max_requests: {most}")));
        let still = standing(&proxy, &closed.endpoint);
        assert_eq!((&still["state"], &still["since"]), (&out["state"], &out["since"]));
        assert_eq!(proxy.get("/").text("next_hop"), origin.endpoint);
    }
    // By other checks nothing is known yet.
    reload(&mut proxy, &settings("interval: 1h", "max_requests: 10"));
    assert_eq!(standing(&proxy, &closed.endpoint)["state"], "in");
    reload(&mut proxy, &settings(OFTEN, "max_requests: 10"));
    becomes(&proxy, &closed.endpoint, "unhealthy");
    assert_eq!(proxy.said().matches("is out of rotation").count(), 2, "{}", proxy.said());
}

#[test]
fn an_ejection_outlives_a_change() {
    let (closed, origin) = (Refusing::new(), Origin::answering(OK));
    let settings = |eject: &str| {
        Settings::endpoints(&[&closed.endpoint, &origin.endpoint])
            .with("reload", "watch: false")
            .having(eject)
    };
    let mut proxy = settings("eject: { after: 1, for: 1h }").start();
    until("it to be ejected", || {
        proxy.get("/");
        (standing(&proxy, &closed.endpoint)["state"] == "ejected").then_some(())
    });
    reload(&mut proxy, &settings("eject: { after: 2, for: 1h }"));
    assert_eq!(standing(&proxy, &closed.endpoint)["state"], "ejected");
    reload(&mut proxy, &settings("hop: false"));
    assert_eq!(standing(&proxy, &closed.endpoint)["state"], "in");
}

#[test]
fn fifty_changes_leave_one_check_under_way_and_none_where_there_are_none() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let count = under_way.clone();
    let origin = Origin::new(move |mut connection| {
        if connection.request().is_some() {
            count.fetch_add(1, Ordering::SeqCst);
            // Until whoever checks has had enough.
            connection.hold();
            count.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let settings = |more: &str| {
        Settings::to(&origin)
            .with("reload", "watch: false")
            .with("log", "which: errors")
            .having(more)
    };
    let checking = |most: usize| {
        settings(&format!("max_requests: {most}, health: {{ interval: 1ms, timeout: 1h }}"))
    };
    let files = |proxy: &Proxy| {
        std::fs::read_dir(format!("/proc/{}/fd", proxy.id())).expect("it runs").count()
    };
    let is_under_way = |wanted: usize| {
        until(&format!("{wanted} checks under way"), || {
            (under_way.load(Ordering::SeqCst) == wanted).then_some(())
        });
    };
    let mut proxy = checking(1).start();
    is_under_way(1);
    let before = files(&proxy);
    for turn in 0..50 {
        reload(&mut proxy, &checking(2 + turn));
    }
    until("as many open files as before", || (files(&proxy) <= before).then_some(()));
    is_under_way(1);
    assert!(origin.connections() > 1, "each change begins the check under way anew");
    reload(&mut proxy, &settings("max_requests: 1"));
    is_under_way(0);
    let checks = origin.connections();
    for turn in 0..5 {
        reload(&mut proxy, &settings(&format!("max_requests: {}", 2 + turn)));
    }
    assert_eq!(origin.connections(), checks, "nobody checks any more");
}

#[test]
fn a_request_from_before_a_change_does_not_speak_for_those_who_came_with_it() {
    let (asked, waiting) = mpsc::channel();
    let (go_on, told) = mpsc::channel();
    let (asked, told) = (Mutex::new(asked), Mutex::new(told));
    let origin = Origin::new(move |mut connection| {
        if connection.request().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            asked.lock().expect("nobody panicked").send(()).expect("the test waits");
            told.lock().expect("nobody panicked").recv().expect("the test says when");
        }
    });
    let closed = Refusing::new();
    let settings = |endpoints: &[&str]| {
        Settings::endpoints(endpoints)
            .with("reload", "watch: false")
            .having(&format!("eject: {{ after: 9 }}, health: {{ type: tcp, {OFTEN} }}"))
    };
    let mut proxy = settings(&[&origin.endpoint]).start();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    waiting.recv().expect("the origin is asked");
    reload(&mut proxy, &settings(&[&origin.endpoint, &closed.endpoint]));
    let out = becomes(&proxy, &closed.endpoint, "unhealthy");
    go_on.send(()).expect("the origin waits");
    assert!(client.receive("GET").is_some_and(|answer| !answer.whole()));
    let record = proxy.log.wait(1).remove(0);
    assert_eq!(record["cause"], "response_truncated");
    let still = standing(&proxy, &closed.endpoint);
    assert_eq!((&still["state"], &still["since"]), (&out["state"], &out["since"]));
    let failed = &standing(&proxy, &origin.endpoint)["failed_in_a_row"];
    assert_eq!(*failed, 1, "who is still there has it against it");
}

#[test]
fn the_last_good_answer_of_a_name_outlives_a_change() {
    let (origin, dns) = (Origin::answering(OK), Dns::new());
    let port = origin.endpoint.rsplit_once(':').expect("a port").1;
    dns.set("api.test", Answer::Addresses(vec![[127, 0, 0, 1].into()], 300));
    let settings = |most: u8| {
        Settings::endpoints(&[&format!("api.test:{port}")])
            .with("reload", "watch: false")
            .with("resolver", &format!("servers: [ \"{}\" ], timeout: 5s", dns.address))
            .having(&format!("max_requests: {most}"))
    };
    let mut proxy = settings(1).start();
    assert_eq!(proxy.get("/").status(), 200);
    dns.set("api.test", Answer::Rcode(2));
    let asked = dns.asked().len();
    reload(&mut proxy, &settings(2));
    let told = proxy.get("/");
    assert_eq!(told.status(), 200, "{:#}", told.record);
    assert!(dns.asked().len() > asked, "a change is a reason to ask anew");
    drop(origin);
    let told = proxy.get("/");
    assert_eq!(told.value("evidence.answer_overdue"), true, "{:#}", told.record);
}
