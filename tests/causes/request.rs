//! What the client did, and what its request ran into before it reached an origin.

use super::Outcome::{BrokenOff, Logged, Made};
use super::{Expected, cases};
use crate::rig::client::Client;
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;
use crate::rotation::{OFTEN, becomes};

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub(super) const REFUSED: Expected = Expected {
    cause: "client_request_malformed",
    party: "client",
    phase: "request",
    certainty: "proved",
    sent: "none",
    outcome: Made(400),
    error: "http_request_error",
    params: &[],
    evidence: &[],
};

/// Sends these bytes to a proxy before a good origin, which must not see any of it.
pub(super) fn refused(section: &'static str, entry: &str, bytes: impl AsRef<[u8]>) -> Told {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with(section, entry).start();
    let told = proxy.send(bytes);
    assert!(origin.requests().is_empty(), "the origin saw {:?}", origin.requests());
    told
}

fn plain(bytes: impl AsRef<[u8]>) -> Told {
    refused("limits", "request_uri: 1KiB", bytes)
}

cases! {
    client_request_malformed = Expected { evidence: &["rule", "offset"], ..REFUSED },
        || plain("GET / HTTP/1.1\r\nHost: app.test\r\nBad\u{1}Name: x\r\n\r\n");
    client_request_line_malformed = Expected { evidence: &["rule"], ..REFUSED },
        || plain("GET /a b c HTTP/1.1\r\nHost: app.test\r\n\r\n");
    client_proxy_protocol_invalid = Expected {
        cause: "client_proxy_protocol_invalid",
        params: &[("status-code", "400")],
        evidence: &["rule", "looks_like"],
        ..REFUSED
    }, || {
        let origin = Origin::answering(OK);
        let told = Settings::to(&origin).proxied().start().get("/");
        assert!(origin.requests().is_empty(), "the origin saw {:?}", origin.requests());
        told
    };
    client_request_ambiguous = Expected {
        cause: "client_request_ambiguous",
        params: &[("status-code", "400")],
        evidence: &["rule"],
        ..REFUSED
    }, || plain("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    client_two_hosts = Expected { cause: "client_request_ambiguous", evidence: &["rule"], ..REFUSED },
        || plain("GET / HTTP/1.1\r\nHost: app.test\r\nHost: other.test\r\n\r\n");
    client_no_host = Expected { cause: "client_request_ambiguous", evidence: &["rule"], ..REFUSED },
        || plain("GET / HTTP/1.1\r\n\r\n");
    client_two_lengths = Expected { cause: "client_request_ambiguous", evidence: &["rule"], ..REFUSED },
        || plain("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
    client_header_too_large = Expected {
        cause: "client_header_too_large",
        outcome: Made(431),
        params: &[("status-code", "431")],
        evidence: &["size", "limit", "setting", "field"],
        ..REFUSED
    }, || refused("limits", "request_header: 4KiB",
        format!("GET / HTTP/1.1\r\nHost: app.test\r\nX-Large: {}\r\n\r\n", "x".repeat(5000)));
    client_uri_too_long = Expected {
        cause: "client_uri_too_long",
        outcome: Made(414),
        evidence: &["size", "limit", "setting"],
        ..REFUSED
    }, || plain(format!("GET /{} HTTP/1.1\r\nHost: app.test\r\n\r\n", "x".repeat(1500)));
    client_body_too_large = Expected {
        cause: "client_body_too_large",
        outcome: Made(413),
        evidence: &["size", "limit", "setting", "declared"],
        ..REFUSED
    }, || refused("limits", "request_body: 1KiB",
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2000\r\n\r\n");
    client_method_refused = Expected {
        cause: "client_method_refused",
        outcome: Made(405),
        evidence: &["method"],
        ..REFUSED
    }, || {
        let told = plain("TRACE / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        let allow = told.answer().fields.text("allow").expect("405 lists what is allowed");
        assert!(allow.contains("GET") && !allow.contains("TRACE"), "{allow}");
        told
    };
    client_slow_header = Expected {
        cause: "client_slow",
        outcome: Made(408),
        evidence: &["part", "bytes_so_far", "limit_ms", "setting"],
        ..REFUSED
    }, || refused("timeouts", "request_header: 300ms", "GET / HTTP/1.1\r\nHost: app");
    client_slow_body = Expected {
        cause: "client_slow",
        sent: "partial",
        outcome: Made(408),
        evidence: &["part", "bytes_so_far", "limit_ms", "setting"],
        ..REFUSED
    }, || {
        // The origin waits for the rest of the body, and its own limit is the shorter one.
        let origin = Origin::new(|mut connection| while connection.request().is_some() {});
        let proxy = Settings::to(&origin).with("timeouts", "request_body: 300ms, read: 250ms").start();
        proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhalf")
    };
    client_slow_reader = Expected { evidence: &["limit_ms", "setting"], ..UNREAD },
        || unread("write: 400ms");
    client_slow_reader_until_the_deadline = Expected { evidence: &["setting"], ..UNREAD },
        || unread("response: 2s");
    client_nominates_host = Expected {
        certainty: "likely",
        evidence: &["rule"],
        ..REFUSED
    }, || nominating("Host");
    client_nominates_nonsense = Expected {
        certainty: "likely",
        evidence: &["rule"],
        ..REFUSED
    }, || nominating("\"x\"");
    client_nominates_too_much = Expected {
        certainty: "likely",
        evidence: &["rule"],
        ..REFUSED
    }, || nominating(&["x"; 300].join(", "));
    client_aborted = Expected {
        cause: "client_aborted",
        phase: "wait",
        sent: "full|acked",
        outcome: Logged(499),
        error: "",
        evidence: &["left", "during", "waited_ms"],
        ..REFUSED
    }, || abandoned(Client::finish_and_leave);
    client_aborted_by_reset = Expected {
        cause: "client_aborted",
        phase: "wait",
        sent: "full|acked",
        outcome: Logged(499),
        error: "",
        evidence: &["left", "during", "waited_ms"],
        ..REFUSED
    }, || abandoned(Client::reset);
    client_aborted_in_mid_upload = Expected {
        cause: "client_aborted",
        phase: "request",
        sent: "partial",
        outcome: Logged(499),
        error: "",
        evidence: &["left", "during", "waited_ms"],
        ..REFUSED
    }, || {
        // The origin takes no more of the upload, so nobody reads the client's end either.
        let (_kept, over) = std::sync::mpsc::channel::<()>();
        let over = std::sync::Mutex::new(over);
        let origin = Origin::new(move |mut connection| {
            connection.head();
            // The other end of the channel goes when the test is over.
            let _ = over.lock().expect("nobody panicked").recv();
        });
        let proxy = Settings::to(&origin).with("timeouts", "write: 500ms, read: 500ms").start();
        proxy.exchange(|| {
            let mut client = proxy.connect();
            let size = 1 << 26;
            client.send(format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {size}\r\n\r\n"));
            client.send(vec![b'x'; 1 << 16]);
            // What does not fit the sockets on the way is never sent: the client leaves first.
            client.fill_up();
            client.reset();
            None
        })
    };

    proxy_overloaded = Expected {
        cause: "proxy_overloaded",
        party: "proxy",
        phase: "route",
        outcome: Made(503),
        error: "proxy_internal_response",
        evidence: &["open", "max_count", "setting"],
        ..REFUSED
    }, || {
        let origin = Origin::answering(OK);
        let proxy = Settings::to(&origin).with("limits", "connections: 1").start();
        let mut first = proxy.connect();
        let good = proxy.exchange(|| {
            first.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            first.receive("GET")
        });
        assert_eq!(good.status(), 200);
        proxy.get("/")
    };
    upstream_limit_reached = Expected {
        cause: "upstream_limit_reached",
        party: "proxy",
        phase: "route",
        outcome: Made(503),
        error: "connection_limit_reached",
        evidence: &["open", "max_count", "setting", "upstream"],
        ..REFUSED
    }, || {
        let (asked, waiting) = std::sync::mpsc::channel();
        let asked = std::sync::Mutex::new(asked);
        let origin = Origin::new(move |mut connection| {
            connection.request();
            asked.lock().expect("nobody panicked").send(()).expect("the test waits");
            connection.hold();
        });
        let proxy = Settings::to(&origin).having("max_connections: 1").start();
        let mut first = proxy.connect();
        first.send("GET /first HTTP/1.1\r\nHost: app.test\r\n\r\n");
        waiting.recv().expect("the origin is asked");
        let told = proxy.get("/second");
        assert_eq!(told.text("evidence.setting"), "upstreams.web.max_connections");
        assert_eq!(told.value("evidence.open"), 1);
        assert_eq!(told.value("evidence.max_count"), 1);
        assert!(told.answer().fields.text("retry-after").is_some(), "{:?}", told.answer());
        // Its own record comes once it is gone.
        proxy.exchange(|| {
            first.reset();
            None
        });
        told
    };
    no_route = Expected {
        cause: "no_route",
        party: "proxy",
        phase: "route",
        outcome: Made(404),
        error: "destination_not_found",
        evidence: &["host", "path"],
        ..REFUSED
    }, || {
        let origin = Origin::answering(OK);
        let proxy = Settings::to(&origin).route("match: { host: other.test }, upstream: web").start();
        proxy.get("/x")
    };
    maintenance = Expected {
        cause: "maintenance",
        party: "proxy",
        phase: "route",
        outcome: Made(503),
        error: "destination_unavailable",
        evidence: &["setting", "retry_after_ms"],
        ..REFUSED
    }, || {
        let origin = Origin::answering(OK);
        let proxy = Settings::to(&origin).route("upstream: web, maintenance: true").start();
        proxy.get("/x")
    };
    no_endpoints = Expected {
        cause: "no_endpoints",
        party: "proxy",
        phase: "route",
        outcome: Made(503),
        error: "destination_unavailable",
        evidence: &["upstream"],
        ..REFUSED
    }, || {
        let closed = Refusing::new();
        let all_of_no_weight = format!("endpoints: [ {{ address: \"{}\", weight: 0 }} ]", closed.endpoint);
        Settings::bare().upstream_of("web", &all_of_no_weight).start().get("/")
    };
    no_healthy_upstream = Expected {
        cause: "no_healthy_upstream",
        party: "origin",
        phase: "route",
        outcome: Made(503),
        error: "destination_unavailable",
        evidence: &["endpoints", "upstream", "all_at_origin"],
        ..REFUSED
    }, || {
        let closed = Refusing::new();
        let checked = format!("health: {{ type: tcp, {OFTEN} }}");
        let proxy = Settings::endpoints(&[&closed.endpoint]).having(&checked).start();
        becomes(&proxy, &closed.endpoint, "unhealthy");
        proxy.get("/")
    };
}

/// Not one of the cases: how much was written is known to the record and not to the answer, which
/// therefore says less, and is less sure.
#[test]
fn request_write_failed() {
    let origin = Origin::new(|mut connection| {
        connection.head();
        let mut came = 0;
        while came < 1 << 20 && connection.fill() {
            came += connection.unread().len();
        }
        connection.reset();
    });
    let told = Settings::to(&origin).once().start().tell(|client| {
        client.send("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 67108864\r\n\r\n");
        client.upload(1 << 26);
        client.receive("PUT")
    });
    for (field, value) in [
        ("cause", "request_write_failed"),
        ("party", "origin"),
        ("phase", "send"),
        ("error", "connection_terminated"),
        ("sent", "partial"),
    ] {
        assert_eq!(told.text(field), value, "{field} in {:#}", told.record);
    }
    assert_eq!(told.status(), 502);
    assert!(told.value("evidence.written").as_u64() >= Some(1 << 20), "{:#}", told.record);
    assert!(told.answer().text().contains("request_write_failed"), "{:?}", told.answer());
}

const UNREAD: Expected = Expected {
    cause: "client_slow_reader",
    phase: "respond",
    certainty: "likely",
    sent: "full|acked",
    outcome: BrokenOff(200),
    error: "",
    ..REFUSED
};

/// A client that reads nothing of a large answer until it is broken off.
fn unread(timeouts: &str) -> Told {
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.pour(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
        connection.pour(&vec![b'x'; 64 << 20]);
        connection.hold();
    });
    let proxy = Settings::endpoints(&[&origin.endpoint]).with("timeouts", timeouts).start();
    proxy.tell(|client| {
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        proxy.log.wait(1);
        client.receive("GET")
    })
}

/// A request whose `Connection` names these fields.
fn nominating(names: &str) -> Told {
    let told = plain(format!("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: {names}\r\n\r\n"));
    assert_eq!(told.value("evidence")["part"], "header");
    told
}

/// A client that leaves while the origin is at work.
fn abandoned(leave: fn(Client)) -> Told {
    let (asked, waiting) = std::sync::mpsc::channel();
    let asked = std::sync::Mutex::new(asked);
    let origin = Origin::new(move |mut connection| {
        connection.request();
        asked.lock().expect("nobody panicked").send(()).expect("the test waits");
        connection.hold();
    });
    let proxy = Settings::to(&origin).start();
    proxy.exchange(|| {
        let mut client = proxy.connect();
        client.send("GET /slow HTTP/1.1\r\nHost: app.test\r\n\r\n");
        waiting.recv().expect("the origin is asked");
        leave(client);
        None
    })
}
