//! What breaks behind the proxy, or in it, is told over HTTP/2 as it is over HTTP/1.1.

use std::time::Duration;

use h2::Reason;

use super::{OK, ask, built, upload};
use crate::rig::client::Client;
use crate::rig::h2client::{Http2, get, request};
use crate::rig::message::End;
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;

#[test]
fn an_answer_of_our_own_is_as_the_client_wants_it() {
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint]).h2c().once().start();
    for (accept, kind) in [
        ("*/*", "text/plain"),
        ("text/html", "text/html"),
        ("application/json", "application/json"),
        ("application/problem+json", "application/problem+json"),
        ("text/markdown", "text/markdown"),
    ] {
        let told = ask(&proxy, built(request("GET", "/").header("accept", accept)));
        assert_eq!((told.status(), told.text("cause")), (502, "connect_refused"), "{accept}");
        let content = told.answer().fields.text("content-type").expect("it is told");
        assert!(content.starts_with(kind), "{accept}: {content}");
    }
    let told = ask(&proxy, built(request("HEAD", "/")));
    assert_eq!((told.status(), told.answer().body.len()), (502, 0));
    let asked = request("POST", "/").header("content-type", "application/grpc");
    let told = upload(&proxy, built(asked), b"\0\0\0\0\0");
    assert_eq!(told.status(), 200);
    assert_eq!(told.answer().fields.text("grpc-status").as_deref(), Some("14"));
    assert_eq!(told.text("cause"), "connect_refused");
}

#[test]
fn other_requests_of_the_connection_do_not_suffer() {
    let good = Origin::answering(OK);
    let closed = Refusing::new();
    let proxy = Settings::to(&good)
        .upstream("shut", &[&closed.endpoint])
        .once()
        .route("match: { path: /shut }, upstream: shut")
        .route("upstream: web")
        .h2c()
        .start();
    let client = Http2::connect(proxy.address());
    for path in ["/", "/shut", "/", "/shut", "/"] {
        let told = proxy.exchange(|| client.get(path));
        assert_eq!(told.status(), if path == "/" { 200 } else { 502 });
    }
}

#[test]
fn an_answer_that_breaks_off_is_never_ended() {
    for (answer, cause) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "response_truncated"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "response_truncated",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nx\r\n",
            "response_bad_transfer_coding",
        ),
    ] {
        let origin = Origin::new(move |mut connection| {
            connection.request();
            connection.send(answer);
            connection.close();
        });
        let proxy = Settings::to(&origin).h2c().start();
        let client = Http2::connect(proxy.address());
        let mut reset = None;
        let told = proxy.exchange(|| {
            let mut exchange = client.open(get("/"), true);
            let answer = exchange.receive();
            reset = exchange.reset;
            answer
        });
        assert_eq!((told.answer().end, reset), (End::Reset, Some(Reason::INTERNAL_ERROR)));
        assert_eq!(told.text("cause"), cause, "{:#}", told.record);
    }
}

#[test]
fn time_runs_out_as_it_does_over_http1() {
    let silent = |head: &'static str| {
        Origin::new(move |mut connection| {
            connection.request();
            connection.send(head);
            connection.hold();
        })
    };
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
    for (sent, limit, cause, status) in [
        ("", "read: 300ms", "origin_slow", Some(504)),
        ("", "response: 300ms", "response_deadline", Some(504)),
        (half, "read: 300ms", "response_stalled", None),
        (half, "response: 300ms", "response_deadline", None),
    ] {
        let origin = silent(sent);
        let proxy = Settings::to(&origin).h2c().once().with("timeouts", limit).start();
        let told = ask(&proxy, get("/"));
        assert_eq!(told.text("cause"), cause, "{limit}: {:#}", told.record);
        match status {
            Some(status) => assert_eq!(told.status(), status),
            None => assert_eq!(told.answer().end, End::Reset, "{limit}"),
        }
        // The connection goes on.
        let client = Http2::connect(proxy.address());
        assert_eq!(proxy.exchange(|| client.get("/")).text("cause"), cause);
        assert_eq!(proxy.exchange(|| client.get("/")).text("cause"), cause);
    }
}

#[test]
fn what_is_too_large_is_refused_by_its_setting() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .h2c()
        .with("limits", "request_header: 4KiB")
        .with("limits", "request_headers: 10")
        .with("limits", "request_uri: 100B")
        .with("limits", "request_body: 10B")
        .start();
    let broken = |asked: http::request::Builder, status: u16, cause: &str, setting: &str| {
        let told = ask(&proxy, built(asked));
        assert_eq!((told.status(), told.text("cause")), (status, cause), "{:#}", told.record);
        assert_eq!(told.text("evidence.setting"), setting);
        assert_eq!(told.text("certainty"), "proved", "{:#}", told.record);
    };
    let long = "x".repeat(5000);
    let header = "client_header_too_large";
    broken(request("GET", "/").header("x-a", &long), 431, header, "limits.request_header");
    let many = (0..11).fold(request("GET", "/"), |r, nth| r.header(format!("x-{nth}"), "1"));
    broken(many, 431, header, "limits.request_headers");
    let uri = request("GET", &format!("/{}", "x".repeat(100)));
    broken(uri, 414, "client_uri_too_long", "limits.request_uri");
    let body = request("POST", "/").header("content-length", "11");
    let told = upload(&proxy, built(body), b"hello world");
    assert_eq!((told.status(), told.text("cause")), (413, "client_body_too_large"));
    let told = upload(&proxy, built(request("POST", "/")), b"hello world");
    assert_eq!((told.status(), told.text("cause")), (413, "client_body_too_large"));
    assert!(origin.requests().iter().all(|request| request.method == "POST"));
}

#[test]
fn what_two_readers_could_take_differently_is_refused() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().start();
    for (asked, rule) in [
        (request("GET", "/").header("host", "b.test"), "Host differs from the target"),
        (
            request("GET", "/").header("host", "app.test").header("host", "app.test"),
            "more than one Host",
        ),
        (request("GET", "/").uri("http://u@app.test/"), "user information in the authority"),
    ] {
        let told = ask(&proxy, built(asked));
        assert_eq!(told.status(), 400, "{rule}: {:#}", told.record);
        assert_eq!(told.text("evidence.rule"), rule);
        assert_eq!(told.text("certainty"), "proved", "{:#}", told.record);
    }
    for method in ["CONNECT", "TRACE"] {
        let asked = match method {
            "CONNECT" => http::Request::builder().method(method).uri("app.test:443"),
            _ => request(method, "/"),
        };
        let told = ask(&proxy, built(asked));
        assert_eq!((told.status(), told.text("cause")), (405, "client_method_refused"));
        assert_eq!(told.text("method"), method);
        assert!(told.answer().fields.text("allow").is_some());
    }
    assert!(origin.requests().is_empty());
}

#[test]
fn a_loop_and_a_missing_route_are_told() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .h2c()
        .with("loop", "max_hops: 2")
        .route("match: { host: app.test }, upstream: web")
        .start();
    let told = ask(&proxy, built(request("GET", "/").header("cdn-loop", "a, b, c, d")));
    assert_eq!((told.status(), told.text("cause")), (508, "loop_detected"), "{:#}", told.record);
    let told = ask(&proxy, built(request("GET", "/").uri("http://other.test/")));
    assert_eq!((told.status(), told.text("cause")), (404, "no_route"));
}

#[test]
fn an_early_answer_survives() {
    let origin = Origin::new(|mut connection| {
        connection.head();
        connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
        connection.hold();
    });
    let proxy = Settings::to(&origin).h2c().with("timeouts", "request_body: 300ms").start();
    let client = Http2::connect(proxy.address());
    let mut reset = None;
    let told = proxy.exchange(|| {
        let mut exchange = client.open(built(request("POST", "/")), false);
        exchange.send("half", false);
        let answer = exchange.receive();
        reset = exchange.reset;
        answer
    });
    assert_eq!((told.status(), told.answer().text().as_str()), (413, "no"));
    assert!(told.answer().whole(), "{reset:?}");
    assert_eq!(told.text("cause"), "origin_early_response", "{:#}", told.record);
}

#[test]
fn a_5xx_of_the_origins_is_passed_on_with_our_word() {
    let origin = Origin::answering("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno");
    let proxy = Settings::to(&origin).h2c().start();
    let told = ask(&proxy, get("/"));
    assert_eq!((told.status(), told.text("cause")), (503, "origin_error"));
    assert_eq!(told.answer().text(), "no");
}

#[test]
fn half_a_preface_is_a_slow_request() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().with("timeouts", "request_header: 300ms").start();
    let told = proxy.tell(|client: &mut Client| {
        client.send("PRI * HTTP/2.0\r\n\r\nS");
        assert!(!client.speaks_within(Duration::from_millis(50)), "it waits for the rest");
        client.receive("GET")
    });
    assert_eq!((told.status(), told.text("cause")), (408, "client_slow"));
    assert_eq!(told.text("evidence.part"), "header");
}
