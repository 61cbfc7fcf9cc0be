//! What a route asks of its clients, and they do not keep.

use super::Outcome::Made;
use super::request::{OK, REFUSED, refused};
use super::{Expected, cases};
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;

cases! {
    proxy_overloaded_on_a_route = Expected {
        cause: "proxy_overloaded",
        party: "proxy",
        phase: "route",
        outcome: Made(503),
        error: "proxy_internal_response",
        evidence: &["open", "max_count", "setting", "retry_after_ms"],
        ..REFUSED
    }, || {
        let (asked, waiting) = std::sync::mpsc::channel();
        let asked = std::sync::Mutex::new(asked);
        let origin = Origin::new(move |mut connection| {
            connection.request();
            asked.lock().expect("nobody panicked").send(()).expect("the test waits");
            connection.hold();
        });
        let proxy = Settings::to(&origin).route("upstream: web, concurrency: 1").start();
        let mut first = proxy.connect();
        first.send("GET /first HTTP/1.1\r\nHost: app.test\r\n\r\n");
        waiting.recv().expect("the origin is asked");
        let told = proxy.get("/second");
        proxy.exchange(|| {
            first.reset();
            None
        });
        told
    };
    denied_by_policy = Expected {
        cause: "denied_by_policy",
        party: "proxy",
        phase: "route",
        outcome: Made(403),
        error: "http_request_denied",
        evidence: &["rule", "setting"],
        ..REFUSED
    }, || refused("access", "deny: [ \"127.0.0.0/8\" ]", "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    rate_limited = Expected {
        cause: "rate_limited",
        party: "proxy",
        phase: "route",
        outcome: Made(429),
        params: &[("status-code", "429")],
        evidence: &["max_count", "limit_ms", "setting", "counted_by", "retry_after_ms"],
        ..REFUSED
    }, || {
        let origin = Origin::answering(OK);
        let proxy =
            Settings::to(&origin).route("upstream: web, rate: { requests: 1, per: 1h }").start();
        assert_eq!(proxy.get("/").status(), 200);
        proxy.get("/")
    };
}
