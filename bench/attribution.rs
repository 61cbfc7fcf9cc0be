//! What attribution costs, part by part: `make bench`.

use std::time::SystemTime;

use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderValue, Method, Version};
use whodunit::routes::{Matcher, Routes};
use whodunit_filters::attribution::cause::{CATALOGUE, find};
use whodunit_filters::attribution::{Diagnosis, Disclosure, Record, Redact, RequestId};
use whodunit_filters::attribution::{header, page};
use whodunit_filters::chain::{Chain, Filter, Peer, RequestView, RouteView, Settings};
use whodunit_filters::head::{Head, HeadLimits};

const NODE: &str = "edge-1.example.net";
const HEAD: &[u8] = b"GET /api/v1/users?page=2 HTTP/1.1\r\nHost: app.example.net\r\n\
    User-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: a=1; b=2\r\n\r\n";
const TOLD: [&str; 4] = ["connect_refused", "origin_slow", "origin_error", "no_route"];

fn main() {
    divan::main();
}

/// Reading and judging a request's head, as the ingress does with every request.
#[divan::bench]
fn head() {
    let inspection = Head::new().inspect(black_box(HEAD), &HeadLimits::default());
    let _ = black_box(inspection);
}

/// The chain on a good request: judged, then made ready to be forwarded.
#[divan::bench]
fn chain(bencher: Bencher<'_, '_>) {
    let settings = Settings::default();
    let chain = Chain::new(NODE, &settings);
    let (limits, timeouts) = (settings.limits.in_force(), settings.timeouts.in_force());
    let id = RequestId::new();
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("app.example.net"));
    headers.insert("accept", HeaderValue::from_static("*/*"));
    let request = RequestView {
        method: &Method::GET,
        target: b"/api/v1/users?page=2",
        host: Some("app.example.net"),
        version: Version::HTTP_11,
        headers: &headers,
        secure: false,
        peer: Peer::Inet(([192, 0, 2, 7], 50_312).into()),
        client: Some([192, 0, 2, 7].into()),
        listener: "",
        id: &id,
        began: SystemTime::now(),
    };
    let route = RouteView { name: "api", limits: &limits, timeouts: &timeouts };
    bencher.bench_local(|| {
        let mut out = headers.clone();
        assert!(chain.request(black_box(&request), &route).denied().is_none());
        chain.forward(&request, &route, &mut out);
        out
    });
}

/// The verdict on the witness of every cause.
#[divan::bench]
fn diagnose_all(bencher: Bencher<'_, '_>) {
    let exchanges: Vec<_> = CATALOGUE.iter().map(|row| (row.witness)()).collect();
    bencher.bench_local(|| exchanges.iter().map(Diagnosis::of).collect::<Vec<_>>());
}

/// The verdict, the header field, the body and the record of one failure.
#[divan::bench(args = TOLD)]
fn tell(bencher: Bencher<'_, '_>, id: &str) {
    let exchange = (find(id).expect("a cause of the catalogue").witness)();
    let redact = Redact::default();
    bencher.bench_local(|| {
        let verdict = Diagnosis::of(&exchange).expect("a witness fails");
        let full = Disclosure::Full;
        let field = header::append(None, &header::member(NODE, &exchange, &verdict, 502, full));
        let now = SystemTime::now();
        let body = page::body(None, &exchange, &verdict, 502, full, NODE, now);
        let line = Record::of(&exchange, Some(&verdict), NODE, 502, &redact).line();
        (field, body, line)
    });
}

/// Finding a route among so many.
#[divan::bench(args = [1, 1_000])]
fn route(bencher: Bencher<'_, '_>, routes: usize) {
    let table = Routes::new((0..routes).map(|n| {
        let host = Some(format!("host-{n}.example.net"));
        (Matcher { host, path: Some("/api/".to_owned()) }, n)
    }));
    let host = format!("host-{}.example.net:8080", routes - 1);
    bencher.bench_local(|| table.find(black_box(&host), "/api/v1/users").copied());
}
