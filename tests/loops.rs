//! Requests that come back, and requests that only look so.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use crate::rig::client::Client;
use crate::rig::message::Request;
use crate::rig::origin::Origin;
use crate::rig::promise::{Told, members};
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Something between a proxy and the next one, that sends every request on to where it is told,
/// under the host that it is told.
struct Relay {
    origin: Origin,
    to: Arc<OnceLock<SocketAddr>>,
}

impl Relay {
    fn new(host: &'static str) -> Self {
        let to = Arc::new(OnceLock::new());
        let address: Arc<OnceLock<SocketAddr>> = Arc::clone(&to);
        let origin = Origin::serving(move |request: &Request| {
            let mut client = Client::connect(*address.get().expect("it is set"));
            let trace = request.fields.text("cdn-loop").unwrap_or_default();
            client.send(format!(
                "GET {} HTTP/1.1\r\nHost: {host}\r\nCDN-Loop: {trace}\r\nConnection: close\r\n\r\n",
                request.target
            ));
            let answer = client.receive("GET").expect("an answer");
            let told = answer.fields.text("proxy-status").unwrap_or_default();
            let mut bytes = format!(
                "HTTP/1.1 {} X\r\nContent-Length: {}\r\n",
                answer.status,
                answer.body.len()
            );
            if !told.is_empty() {
                write!(bytes, "Proxy-Status: {told}\r\n").expect("a string takes it");
            }
            [bytes.as_bytes(), b"\r\n", &answer.body].concat()
        });
        Self { origin, to }
    }

    fn to(&self, address: SocketAddr) {
        self.to.set(address).expect("set once");
    }
}

fn ask(proxy: &Proxy, host: &str) -> Client {
    let mut client = proxy.connect();
    client.send(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client
}

/// A request that carries this trace.
fn traced(proxy: &Proxy, trace: &str) -> Told {
    proxy.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\nCDN-Loop: {trace}\r\n\r\n"))
}

#[test]
fn a_proxy_that_points_at_itself_answers_the_second_pass() {
    let relay = Relay::new("app.test");
    let proxy = Settings::to(&relay.origin).start();
    relay.to(proxy.address());
    let told = proxy.exchanges(2, || vec![ask(&proxy, "app.test").receive("GET")]);
    assert_eq!(told[0].text("cause"), "loop_detected");
    assert_eq!(told[0].value("status"), 508);
    assert_eq!(told[1].status(), 508);
    assert_eq!(relay.origin.requests().len(), 1);
    let said = members(&told[1].answer().fields);
    assert_eq!(said.len(), 2, "one member for each pass: {said:?}");
    assert_eq!(said[0].param("error"), Some("proxy_loop_detected"));
}

#[test]
fn two_proxies_that_point_at_each_other_are_found_out() {
    let (first, second) = (Relay::new("app.test"), Relay::new("app.test"));
    let one = Settings::to(&first.origin).named("one.test").start();
    let two = Settings::to(&second.origin).named("two.test").start();
    first.to(two.address());
    second.to(one.address());
    let told = one.exchanges(2, || vec![ask(&one, "app.test").receive("GET")]);
    assert_eq!(told[0].text("cause"), "loop_detected");
    let trace = told[0].value("evidence.trace").to_string();
    assert!(trace.contains("one.test") && trace.contains("two.test"), "{trace}");
    assert_eq!(second.origin.requests().len(), 1);
}

#[test]
fn a_second_pass_through_another_route_is_legal() {
    let relay = Relay::new("inner.test");
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .knowing(&relay.origin)
        .upstream("around", &[&relay.origin.endpoint])
        .route("name: outer, match: { host: outer.test }, upstream: around")
        .route("name: inner, match: { host: inner.test }, upstream: web")
        .start();
    relay.to(proxy.address());
    let told = proxy.exchanges(2, || vec![ask(&proxy, "outer.test").receive("GET")]);
    assert_eq!(told[1].status(), 200);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_forged_entry_is_no_loop() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    assert_eq!(proxy.get("/").status(), 200);
    let real = origin.requests()[0].fields.text("cdn-loop").expect("it leaves a trace");
    let (rest, tag) = real.rsplit_once("t=").expect("a trace has a tag");
    let forged: String = tag.chars().rev().collect();
    for trace in [format!("{rest}t={forged}"), "edge.test".to_owned(), "edge.test; r=1".to_owned()]
    {
        let told = traced(&proxy, &trace);
        assert_eq!(told.status(), 200, "{trace}");
        assert_eq!(told.value("forged_hops"), 1, "{trace}");
    }
}

#[test]
fn the_trace_of_another_deployment_is_no_loop() {
    let origin = Origin::answering(OK);
    let one = Settings::to(&origin).with("loop", "secret: one-0123456789abcdef").start();
    let two = Settings::to(&origin).with("loop", "secret: two-0123456789abcdef").start();
    assert_eq!(one.get("/").status(), 200);
    let trace = origin.requests()[0].fields.text("cdn-loop").expect("it leaves a trace");
    assert_eq!(traced(&two, &trace).status(), 200);
    assert_eq!(traced(&one, &trace).status(), 508);
}

#[test]
fn nodes_of_one_deployment_know_each_other_s_traces() {
    let origin = Origin::answering(OK);
    let same = || Settings::to(&origin).with("loop", "secret: shared-0123456789abcdef").start();
    let (one, two) = (same(), same());
    assert_eq!(one.get("/").status(), 200);
    let trace = origin.requests()[0].fields.text("cdn-loop").expect("it leaves a trace");
    assert_eq!(traced(&two, &trace).status(), 508);
}

#[test]
fn too_many_hops_are_a_loop_whoever_they_are() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("loop", "max_hops: 4").start();
    assert_eq!(traced(&proxy, "a, b, c, d").status(), 200);
    let told = traced(&proxy, "a, b, c, d, e");
    assert_eq!(told.text("cause"), "loop_detected");
    assert_eq!(told.value("evidence.hops"), 5);
}

#[test]
fn a_client_cannot_take_the_trace_away() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let told = proxy.send(
        "GET / HTTP/1.1\r\nHost: app.test\r\nCDN-Loop: before\r\nConnection: CDN-Loop\r\n\r\n",
    );
    assert_eq!(told.status(), 200);
    let trace = origin.requests()[0].fields.text("cdn-loop").expect("it leaves a trace");
    assert!(trace.starts_with("before, edge.test"), "{trace}");
}
