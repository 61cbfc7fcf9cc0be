//! Limits and timeouts: where they begin, where they end, and which of several counts.

use crate::rig::client::{Client, Over};
use crate::rig::message::Response;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A GET whose header section has exactly this many bytes, the empty line at its end included.
fn head_of(size: usize) -> String {
    let empty = "Host: app.test\r\nX-Pad: \r\n\r\n";
    let pad = "x".repeat(size - empty.len());
    format!("GET / HTTP/1.1\r\n{}", empty.replace("X-Pad: ", &format!("X-Pad: {pad}")))
}

fn broken(told: &Told, cause: &str, setting: &str) {
    assert_eq!(told.text("cause"), cause, "{:#}", told.record);
    assert_eq!(told.text("evidence.setting"), setting, "{:#}", told.record);
}

#[test]
fn a_head_at_its_limit_passes_and_one_over_it_does_not() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "request_header: 4KiB").start();
    assert_eq!(proxy.send(head_of(4096)).status(), 200);
    let told = proxy.send(head_of(4097));
    broken(&told, "client_header_too_large", "limits.request_header");
    assert_eq!(told.value("evidence.limit"), 4096);
    assert_eq!(told.status(), 431);
}

#[test]
fn fields_are_counted() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "request_headers: 10").start();
    let with = |fields: usize| {
        let more = "X-More: x\r\n".repeat(fields - 1);
        format!("GET / HTTP/1.1\r\nHost: app.test\r\n{more}\r\n")
    };
    assert_eq!(proxy.send(with(10)).status(), 200);
    let told = proxy.send(with(11));
    broken(&told, "client_header_too_large", "limits.request_headers");
    assert_eq!(told.value("evidence.max_count"), 10);
}

#[test]
fn a_target_at_its_limit_passes_and_one_over_it_does_not() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "request_uri: 100B").start();
    assert_eq!(proxy.get(&format!("/{}", "x".repeat(99))).status(), 200);
    let told = proxy.get(&format!("/{}", "x".repeat(100)));
    broken(&told, "client_uri_too_long", "limits.request_uri");
    assert_eq!(told.value("evidence.size"), 101);
}

#[test]
fn a_body_is_measured_as_it_comes_when_nobody_says_its_length() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "request_body: 1KiB").start();
    let chunks = |count: usize| {
        let chunk = format!("100\r\n{}\r\n", "x".repeat(256));
        format!(
            "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunk.repeat(count)
        )
    };
    assert_eq!(proxy.send(chunks(4)).status(), 200);
    let told = proxy.send(chunks(5));
    broken(&told, "client_body_too_large", "limits.request_body");
    assert_eq!(told.status(), 413);
    assert_ne!(told.value("evidence.declared"), true);
}

#[test]
fn a_body_over_its_limit_is_told_to_a_client_that_has_said_all_it_will() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "request_body: 1KiB").start();
    let told = proxy.tell(|client| {
        let head = "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send(format!("{head}800\r\n{}\r\n0\r\n\r\n", "x".repeat(2048)));
        client.finish();
        client.receive("POST")
    });
    broken(&told, "client_body_too_large", "limits.request_body");
    assert_eq!(told.status(), 413);
}

#[test]
fn a_header_that_dribbles_meets_a_total_deadline() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("timeouts", "request_header: 400ms").start();
    let told = proxy.tell(|client| {
        // No pause between two bytes comes near the limit.
        for byte in "GET / HTTP/1.1\r\nHost: ".bytes().chain(std::iter::repeat(b'x')) {
            client.send([byte]);
            if client.speaks_within(std::time::Duration::from_millis(20)) {
                break;
            }
        }
        client.receive("GET")
    });
    broken(&told, "client_slow", "timeouts.request_header");
    assert_eq!(told.status(), 408);
    assert!(origin.requests().is_empty());
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("timeouts", "keepalive: 300ms").start();
    let told = proxy.tell(|client| {
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        let response = client.receive("GET");
        assert_eq!(client.over(), Over::Closed);
        response
    });
    assert_eq!(told.status(), 200);
    assert_eq!(proxy.log.records().len(), 1);
}

#[test]
fn nothing_is_recorded_of_a_connection_without_a_request() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let mut silent = proxy.connect();
    silent.finish();
    assert_eq!(silent.over(), Over::Closed);
    assert_eq!(proxy.get("/").status(), 200);
    assert_eq!(proxy.log.records().len(), 1);
}

#[test]
fn the_route_s_limit_wins_over_the_upstream_s_and_that_over_the_global_one() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .with("limits", "request_body: 10B")
        .having("limits: { request_body: 20B }")
        .route("name: wide, match: { path: /wide }, upstream: web, limits: { request_body: 30B }")
        .route("name: rest, upstream: web")
        .start();
    let post = |path: &str, size: usize| {
        let body = "x".repeat(size);
        proxy.send(format!(
            "POST {path} HTTP/1.1\r\nHost: app.test\r\nContent-Length: {size}\r\n\r\n{body}"
        ))
    };
    assert_eq!(post("/wide", 30).status(), 200);
    assert_eq!(post("/wide", 31).value("evidence.limit"), 30);
    assert_eq!(post("/", 20).status(), 200);
    let told = post("/", 21);
    broken(&told, "client_body_too_large", "upstreams.web.limits.request_body");
}

#[test]
fn the_route_s_timeout_is_the_one_that_is_named() {
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.hold();
    });
    let proxy = Settings::to(&origin)
        .once()
        .route("name: fast, match: { path: /fast }, upstream: web, timeouts: { read: 250ms }")
        .route("name: rest, upstream: web")
        .start();
    let told = proxy.get("/fast");
    assert_eq!(told.text("cause"), "origin_slow");
    assert_eq!(told.value("evidence.limit_ms"), 250);
    assert!(told.text("evidence.setting").starts_with("routes"), "{:#}", told.record);
}

#[test]
fn after_a_refusal_the_connection_is_closed() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "request_uri: 100B").start();
    let told = proxy.tell(|client: &mut Client| {
        client.send(format!("GET /{} HTTP/1.1\r\nHost: app.test\r\n\r\n", "x".repeat(200)));
        let refusal: Option<Response> = client.receive("GET");
        assert_eq!(client.over(), Over::Closed);
        refusal
    });
    assert_eq!(told.status(), 414);
    assert_eq!(told.answer().fields.text("connection").as_deref(), Some("close"));
}

/// The limit on the whole answer also holds before its header section is complete: the client is
/// told, and however the origin draws it out.
#[test]
fn an_answer_that_never_comes_to_its_end_is_given_up_in_time() {
    let dribbling = Origin::new(|mut connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\nX-Pad: ");
        while !connection.left_within(std::time::Duration::from_millis(20)) {
            connection.send("x");
        }
    });
    let silent = Origin::new(|mut connection| {
        connection.request();
        connection.hold();
    });
    for origin in [dribbling, silent] {
        let proxy = Settings::to(&origin).with("timeouts", "response: 300ms, read: 1h").start();
        let told = proxy.get("/");
        broken(&told, "response_deadline", "timeouts.response");
        assert_eq!(told.status(), 504);
        assert_eq!(told.text("phase"), "wait");
        assert_eq!(told.text("path"), "/");
    }
}
