//! `queue`: waiting for a place.

use super::*;
use crate::rig::certificates::{Identity, Says};
use crate::rig::h2client::{Http2, request};
use crate::rig::tls::Tls;

const ONE: &str = "max_requests: 1, queue: { length: 2, timeout: 30s }";

fn queued(proxy: &Proxy, count: u64) {
    until("the queue to have that length", || {
        (shown(proxy)["queued"].as_u64() == Some(count)).then_some(())
    });
}

#[test]
fn who_comes_first_is_served_first_and_the_wait_is_told() {
    for limit in ["max_requests: 1", "max_connections: 1"] {
        let origin = Holding::new("done");
        let proxy = Settings::to(&origin.origin)
            .having(&format!("{limit}, queue: {{ length: 2, timeout: 30s }}"))
            .start();
        let told = proxy.exchanges(4, || {
            let mut first = origin.hold(&proxy);
            let mut second = ask(&proxy, "/second");
            queued(&proxy, 1);
            let mut third = ask(&proxy, "/third");
            queued(&proxy, 2);
            let mut fourth = ask(&proxy, "/fourth");
            let refused = fourth.receive("GET");
            origin.let_go(1);
            let answers = [&mut first, &mut second, &mut third].map(|client| client.receive("GET"));
            let mut all = vec![refused];
            all.extend(answers);
            all
        });
        let asked: Vec<_> = origin.origin.requests().into_iter().map(|r| r.target).collect();
        assert_eq!(asked, ["/hold", "/second", "/third"], "{limit}");
        let refused = told.iter().find(|told| told.text("path") == "/fourth").expect("a record");
        assert_eq!(refused.text("cause"), "upstream_limit_reached");
        assert_eq!(refused.value("evidence.queued"), 2, "{:#}", refused.record);
        assert_eq!(refused.value("evidence.max_queued"), 2, "{:#}", refused.record);
        for told in told.iter().filter(|told| told.text("path") != "/fourth") {
            assert_eq!(told.value("status"), 200, "{:#}", told.record);
            let waited = told.value("times_ms.queue").as_f64().expect("a number");
            assert_eq!(waited > 1.0, told.text("path") != "/hold", "{:#}", told.record);
        }
        queued(&proxy, 0);
    }
}

#[test]
fn who_waits_too_long_is_told_for_how_long() {
    let origin = Holding::new("done");
    let proxy =
        Settings::to(&origin.origin).having("max_requests: 1, queue: { timeout: 50ms }").start();
    let _held = origin.hold(&proxy);
    let told = proxy.get("/late");
    assert_eq!((told.status(), told.text("cause")), (503, "upstream_limit_reached"));
    assert_eq!(told.text("evidence.setting"), "upstreams.web.max_requests");
    assert_eq!(told.value("evidence.limit_ms"), 50, "{:#}", told.record);
    assert_eq!(told.value("evidence.queued"), 0, "{:#}", told.record);
    assert!(told.value("evidence.waited_ms").as_u64() >= Some(50), "{:#}", told.record);
    assert!(told.value("times_ms.queue").as_f64() >= Some(50.0), "{:#}", told.record);
    queued(&proxy, 0);
}

#[test]
fn a_client_that_leaves_leaves_the_queue() {
    let leave = [Client::finish_and_leave as fn(Client), Client::reset];
    for (leave, body) in leave.into_iter().flat_map(|leave| [(leave, false), (leave, true)]) {
        let origin = Holding::new("done");
        let proxy = Settings::to(&origin.origin).having(ONE).start();
        let mut held = origin.hold(&proxy);
        let told = proxy.exchange(|| {
            let mut client = proxy.connect();
            let length = if body { "Content-Length: 9\r\n" } else { "" };
            client.send(format!("PUT / HTTP/1.1\r\nHost: app.test\r\n{length}\r\n"));
            queued(&proxy, 1);
            leave(client);
            queued(&proxy, 0);
            None
        });
        assert_eq!(told.text("cause"), "client_aborted", "{:#}", told.record);
        origin.let_go(1);
        assert_eq!(held.receive("GET").expect("an answer").status, 200);
        assert_eq!(origin.origin.requests().len(), 1, "nobody was asked on its behalf");
    }
}

#[test]
fn a_stream_that_is_reset_leaves_the_queue() {
    let origin = Holding::new("done");
    let proxy = Settings::to(&origin.origin).having(ONE).h2c().start();
    let _held = origin.hold(&proxy);
    for whole in [true, false] {
        let told = proxy.exchange(|| {
            let client = Http2::connect(proxy.address());
            let exchange = client.open(request("PUT", "/").body(()).expect("a request"), whole);
            queued(&proxy, 1);
            exchange.cancel();
            queued(&proxy, 0);
            None
        });
        assert_eq!(told.text("cause"), "client_aborted", "{:#}", told.record);
    }
}

#[test]
fn who_waits_goes_on_waiting_through_a_reload() {
    let origin = Holding::new("done");
    let settings =
        |more: &str| Settings::to(&origin.origin).with("reload", "watch: false").having(more);
    let mut proxy = settings(ONE).start();
    let mut held = origin.hold(&proxy);
    let mut waiting = ask(&proxy, "/waiting");
    queued(&proxy, 1);
    reload(&mut proxy, &settings("max_requests: 1"), 1);
    queued(&proxy, 1);
    let told = proxy.get("/refused");
    assert_eq!(told.text("cause"), "upstream_limit_reached", "those of the old plan count");
    assert_eq!(origin.origin.requests().len(), 1);
    origin.let_go(1);
    for client in [&mut held, &mut waiting] {
        assert_eq!(client.receive("GET").expect("an answer").status, 200);
    }
    // An answer is there before its request has left its place.
    until("both to be over", || (shown(&proxy)["requests"] == 0).then_some(()));
    let _held = origin.hold(&proxy);
    reload(&mut proxy, &settings(ONE), 2);
    let mut waiting = ask(&proxy, "/more");
    queued(&proxy, 1);
    reload(&mut proxy, &settings("max_requests: 2"), 3);
    assert_eq!(waiting.receive("GET").expect("a place, now").status, 200);
}

/// A connection that could have been shared, and is not, waits as one that could not.
#[test]
fn a_connection_that_turns_out_to_be_ones_own_waits_as_well() {
    let tls = Tls::new(Identity::of_its_own(&Says::names(&["app.test"]))).speaking(&["http/1.1"]);
    let (asked, waiting) = channel();
    let (asked, gate) = (Mutex::new(asked), Arc::<(Mutex<bool>, Condvar)>::default());
    let open = gate.clone();
    let origin = Origin::tls(&tls, move |mut connection| {
        while let Some(request) = connection.request() {
            if request.target == "/hold" {
                asked.lock().expect("nobody panicked").send(()).expect("the test waits");
                let held = open.0.lock().expect("nobody panicked");
                drop(open.1.wait_while(held, |free| !*free).expect("nobody panicked"));
            }
            connection.send(saying("done"));
        }
    });
    let proxy = Settings::to(&origin)
        .having("tls: { sni: app.test, verify: false }, max_connections: 1")
        .having("queue: { timeout: 30s }")
        .start();
    let told = proxy.exchanges(2, || {
        let mut held = ask(&proxy, "/hold");
        waiting.recv().expect("the origin is asked");
        let mut second = ask(&proxy, "/second");
        queued(&proxy, 1);
        *gate.0.lock().expect("nobody panicked") = true;
        gate.1.notify_all();
        vec![held.receive("GET"), second.receive("GET")]
    });
    let second = told.iter().find(|told| told.text("path") == "/second").expect("a record");
    assert_eq!(second.value("status"), 200, "{:#}", second.record);
    assert!(second.value("times_ms.queue").as_f64() > Some(1.0), "{:#}", second.record);
}
