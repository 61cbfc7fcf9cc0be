//! The parts that are ours, each ready to be run.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Version};
use whodunit::routes::{Matcher, Routes};
use whodunit_filters::attribution::cause::{CATALOGUE, Cause, find};
use whodunit_filters::attribution::{
    Diagnosis, Disclosure, Exchange, Record, Redact, RequestId, header, page,
};
use whodunit_filters::chain::{Chain, Filter, Peer, RequestView, RouteView, Settings};
use whodunit_filters::head::{Head, HeadLimits, Inspection};
use whodunit_filters::limits::LimitsInForce;
use whodunit_filters::rules::Rules;
use whodunit_filters::secret::Secret;
use whodunit_filters::timeouts::TimeoutsInForce;

use crate::allocator::Tally;

/// What the deployment is called.
pub(crate) const NODE: &str = "edge-1.example.net";
/// The request, as it comes from the client.
pub(crate) const HEAD: &[u8] = b"GET /api/v1/users?page=2 HTTP/1.1\r\nHost: app.example.net\r\n\
    User-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: a=1; b=2\r\n\r\n";
/// Causes of different parties, whose header field, page and record are made.
const TOLD: [&str; 4] = ["connect_refused", "origin_slow", "origin_error", "no_route"];
/// What two hops said.
const RECEIVED: &str = "cache-7; error=connection_timeout; next-hop=\"10.0.0.5:8080\"; \
    details=\"no answer\", edge-2.example.net; received-status=504; ref=\"01JD3WZ9Q4\"";

/// A part.
pub(crate) struct Part {
    /// What it is called in the figures.
    pub(crate) name: String,
    /// How often [`Part::run`] runs it.
    pub(crate) rounds: u64,
    /// Runs it, and drops what it made.
    pub(crate) run: Box<dyn Fn()>,
}

impl Part {
    fn new<R>(name: impl Into<String>, run: impl Fn() -> R + 'static) -> Self {
        Self { name: name.into(), rounds: 1, run: Box::new(move || drop(black_box(run()))) }
    }

    /// What it allocates in the steady state.
    pub(crate) fn allocations(&self) -> Tally {
        (self.run)();
        Tally::of(&self.run).each(self.rounds)
    }
}

/// Every part.
pub(crate) fn all() -> Vec<Part> {
    let mut parts = vec![head(), chain(), loops(), header_read(), route(1), route(1_000)];
    parts.extend(CATALOGUE.iter().copied().map(diagnosis));
    parts.extend(TOLD.iter().flat_map(|id| told(id)));
    parts
}

/// Reading and judging a request's head, as the ingress does with every request.
fn head() -> Part {
    let read = || Head::new().inspect(black_box(HEAD), &HeadLimits::default());
    assert!(matches!(read(), Inspection::Complete(_)), "the head is a good one");
    Part::new("head", read)
}

/// The chain on a good request: judged, then made ready to be forwarded.
fn chain() -> Part {
    let ready = Ready::new();
    Part::new("chain", move || {
        let mut out = ready.headers.clone();
        let (request, route) = (ready.request(), ready.route("api"));
        assert!(ready.chain.request(black_box(&request), &route).denied().is_none());
        ready.chain.forward(&request, &route, &mut out);
        out
    })
}

/// The loop check on a request that passed two strangers, and this node by another route.
fn loops() -> Part {
    let mut ready = Ready::new();
    ready.headers.insert("cdn-loop", HeaderValue::from_static("a.example.net, b.example.com; x=1"));
    let mut passed = ready.headers.clone();
    ready.chain.loops.forward(&ready.request(), &ready.route("web"), &mut passed);
    ready.headers = passed;
    Part::new("loop_check", move || {
        let (request, route) = (ready.request(), ready.route("api"));
        let report = ready.chain.loops.examine(black_box(&request), &route);
        assert!(report.as_ref().is_ok_and(|report| (report.hops, report.forged) == (3, 0)));
        report
    })
}

/// Reading what two hops said.
fn header_read() -> Part {
    let read = || header::read(black_box(RECEIVED));
    assert_eq!(read().map(|received| received.members.len()), Ok(2));
    Part::new("header_read", read)
}

/// Finding each of so many routes. The keys are hashed with random seeds: one alone could fall on a
/// crowded place.
fn route(routes: u64) -> Part {
    let host = |n| format!("host-{n:04}.example.net");
    let table = Routes::new(
        (0..routes).map(|n| (Matcher { host: Some(host(n)), path: Some("/api/".to_owned()) }, n)),
    );
    let hosts: Vec<_> = (0..routes).map(|n| format!("{}:8080", host(n))).collect();
    let run = Box::new(move || {
        for host in &hosts {
            assert!(black_box(&table).find(black_box(host), "/api/v1/users").is_some());
        }
    });
    Part { name: format!("route/{routes}"), rounds: routes, run }
}

/// The verdict on the witness of a cause.
fn diagnosis(cause: Cause) -> Part {
    let exchange = (cause.witness)();
    Part::new(format!("diagnosis/{}", cause.id), move || {
        Diagnosis::of(black_box(&exchange)).expect("a witness fails")
    })
}

/// The words of one failure: the header field, the body and the record.
fn told(id: &str) -> [Part; 3] {
    let exchange: Arc<Exchange> = Arc::new((find(id).expect("a cause of the catalogue").witness)());
    let verdict = Arc::new(Diagnosis::of(&exchange).expect("a witness fails"));
    let full = Disclosure::Full;
    let now = noon();
    let redact = Redact::default();
    let of = (exchange.clone(), verdict.clone());
    let field = Part::new(format!("header_write/{id}"), move || {
        header::append(None, &header::member(NODE, &of.0, &of.1, 502, full))
    });
    let of = (exchange.clone(), verdict.clone());
    let body = Part::new(format!("page/{id}"), move || {
        page::body(None, &of.0, &of.1, 502, full, NODE, now)
    });
    let line = Part::new(format!("record/{id}"), move || {
        Record::of(&exchange, Some(&verdict), NODE, 502, &redact).line()
    });
    [field, body, line]
}

/// Some noon: seals and pages hold the time.
fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(498_660)
}

/// A good request before the chain.
struct Ready {
    chain: Chain,
    headers: HeaderMap,
    id: RequestId,
    limits: LimitsInForce,
    timeouts: TimeoutsInForce,
    rules: Rules,
    arrived: Instant,
}

impl Ready {
    fn new() -> Self {
        let mut settings = Settings::default();
        settings.loops.secret = Secret::try_from("correct horse battery".to_owned()).ok();
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("app.example.net"));
        headers.insert("accept", HeaderValue::from_static("*/*"));
        Self {
            chain: Chain::new(NODE, &settings),
            headers,
            id: RequestId::parse(b"01JD3WZ9Q4R5T6V7W8X9YZABCD").expect("a good id"),
            limits: settings.limits.in_force(),
            timeouts: settings.timeouts.in_force(),
            rules: Rules::default(),
            arrived: Instant::now(),
        }
    }

    fn request(&self) -> RequestView<'_> {
        RequestView {
            method: &Method::GET,
            target: b"/api/v1/users?page=2",
            host: Some("app.example.net"),
            version: Version::HTTP_11,
            headers: &self.headers,
            secure: false,
            peer: Peer::Inet(([192, 0, 2, 7], 50_312).into()),
            client: Some([192, 0, 2, 7].into()),
            listener: "",
            id: &self.id,
            began: noon(),
            arrived: self.arrived,
        }
    }

    fn route<'a>(&'a self, name: &'a str) -> RouteView<'a> {
        RouteView { name, limits: &self.limits, timeouts: &self.timeouts, rules: &self.rules }
    }
}
