//! What came back from the origin, or did not.

use super::Outcome::{BrokenOff, Made, Passed};
use super::{Expected, cases};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const FAILED: Expected = Expected {
    cause: "origin_closed",
    party: "origin",
    phase: "wait",
    certainty: "proved",
    sent: "full|acked",
    outcome: Made(502),
    error: "connection_terminated",
    params: &[("next-hop", "*")],
    evidence: &[],
};

const CUT: Expected = Expected { phase: "receive", outcome: BrokenOff(200), params: &[], ..FAILED };

/// A GET to an origin that treats the connection so, once it has read the request.
fn after(settings: &str, act: impl Fn(Conversation) + Send + Sync + 'static) -> Told {
    let origin = Origin::new(move |mut connection| {
        if connection.request().is_some() {
            act(connection);
        }
    });
    let limits = "response_header: 4KiB, response_header_line: 2KiB, response_body: 4KiB";
    Settings::to(&origin)
        .with("limits", limits)
        .with("timeouts", settings)
        .once()
        .start()
        .get("/asked")
}

/// The same, with an origin that sends these bytes and closes.
fn answered(bytes: impl Into<Vec<u8>>) -> Told {
    let bytes = bytes.into();
    after("read: 5s", move |mut connection| {
        connection.send(&bytes);
        connection.close();
    })
}

/// The same, with one that sends them and then nothing more.
fn stuck(settings: &str, bytes: &'static str) -> Told {
    after(settings, move |mut connection| {
        connection.send(bytes);
        connection.hold();
    })
}

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n";
const ASK: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A GET with these fields to an origin that switches protocols with those.
fn switching(asked: &str, fields: &'static str) -> Told {
    let origin = Origin::new(move |mut connection| {
        connection.request();
        connection.send(format!("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\n{fields}\r\n"));
        connection.hold();
    });
    Settings::to(&origin).once().start().send(format!("{GET}{asked}\r\n"))
}

/// Not one of the cases: a header that has gone out cannot be taken back.
#[test]
fn a_header_that_went_out_before_the_words_came_is_left_as_it_is() {
    let (seen, waiting) = std::sync::mpsc::channel();
    let waiting = std::sync::Mutex::new(waiting);
    let origin = Origin::new(move |mut connection| {
        connection.request();
        connection.send("HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n<h1>400\r\n");
        waiting.lock().expect("nobody panicked").recv().expect("the test waits");
        connection.send("2d\r\nThe plain HTTP request was sent to HTTPS port\r\n0\r\n\r\n");
    });
    let proxy = Settings::to(&origin).start();
    let told = proxy.tell(|client| {
        client.send(format!("{GET}\r\n"));
        assert!(client.speaks_within(crate::rig::PATIENCE), "the header comes first");
        seen.send(()).expect("the origin waits");
        client.receive("GET")
    });
    assert_eq!(told.status(), 400);
    assert!(told.answer().whole() && told.member.is_none(), "{:?}", told.answer());
    assert_eq!(told.text("cause"), "origin_expects_tls", "{:#}", told.record);
    assert_eq!(told.value("generated"), false);
}

fn large_field(name: &str, size: usize) -> String {
    format!("HTTP/1.1 200 OK\r\n{name}: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(size))
}

cases! {
    origin_closed = Expected { ..FAILED }, || after("read: 5s", Conversation::close);
    origin_reset = Expected { cause: "origin_reset", evidence: &["errno"], ..FAILED },
        || after("read: 5s", Conversation::reset);
    origin_slow = Expected {
        cause: "origin_slow",
        certainty: "proved",
        outcome: Made(504),
        error: "connection_read_timeout",
        evidence: &["limit_ms", "setting", "rtt_us", "bytes_acked"],
        ..FAILED
    }, || stuck("read: 250ms", "");
    response_deadline = Expected {
        cause: "response_deadline",
        phase: "receive",
        outcome: BrokenOff(200),
        error: "http_response_timeout",
        params: &[],
        evidence: &["limit_ms", "setting"],
        ..FAILED
    }, || after("read: 5s, response: 400ms", |mut connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n");
        // Bytes keep coming until the proxy has had enough.
        while !connection.left_within(std::time::Duration::from_millis(20)) {
            connection.send("x");
        }
    });
    response_header_too_large = Expected {
        cause: "response_header_too_large",
        error: "http_response_header_section_size",
        params: &[("header-section-size", "*")],
        evidence: &["size", "limit", "setting", "field"],
        ..FAILED
    }, || answered((0..4).fold("HTTP/1.1 200 OK\r\n".to_owned(), |head, n| {
        head + &format!("X-Part-{n}: {}\r\n", "x".repeat(1500))
    }) + "Content-Length: 0\r\n\r\n");
    response_header_line_too_large = Expected {
        cause: "response_header_line_too_large",
        error: "http_response_header_size",
        params: &[("header-name", "x-large"), ("header-size", "*")],
        evidence: &["size", "limit", "setting", "field"],
        ..FAILED
    }, || answered(large_field("x-large", 3000));
    response_malformed = Expected {
        cause: "response_malformed",
        error: "http_protocol_error",
        evidence: &["first_bytes", "looks_like"],
        ..FAILED
    }, || answered("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n");
    response_field_malformed = Expected {
        cause: "response_malformed",
        error: "http_protocol_error",
        evidence: &["rule"],
        ..FAILED
    }, || answered("HTTP/1.1 200 OK\r\nBad\u{1}Name: x\r\nContent-Length: 0\r\n\r\n");
    response_framing_conflict = Expected {
        cause: "response_framing_conflict",
        error: "http_protocol_error",
        evidence: &["rule"],
        ..FAILED
    }, || answered("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
    response_bad_transfer_coding = Expected {
        cause: "response_bad_transfer_coding",
        error: "http_response_transfer_coding",
        ..CUT
    }, || answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n");
    response_truncated = Expected {
        cause: "response_truncated",
        error: "http_response_incomplete",
        evidence: &["received", "expected", "left"],
        ..CUT
    }, || answered("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly so much");
    response_truncated_chunks = Expected {
        cause: "response_truncated",
        error: "http_response_incomplete",
        evidence: &["received", "left"],
        ..CUT
    }, || answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    response_truncated_by_reset = Expected {
        cause: "response_truncated",
        error: "http_response_incomplete",
        evidence: &["received", "expected"],
        ..CUT
    }, || after("read: 5s", |mut connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly so much");
        connection.reset();
    });
    response_stalled = Expected {
        cause: "response_stalled",
        error: "connection_read_timeout",
        evidence: &["limit_ms", "setting", "received"],
        ..CUT
    }, || stuck("read: 250ms", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly so much");
    response_body_too_large = Expected {
        cause: "response_body_too_large",
        error: "http_response_body_size",
        params: &[("body-size", "5000"), ("next-hop", "*")],
        evidence: &["size", "limit", "setting"],
        ..FAILED
    }, || answered("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
    response_body_too_large_in_chunks = Expected {
        cause: "response_body_too_large",
        error: "http_response_body_size",
        evidence: &["limit", "setting"],
        ..CUT
    }, || answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
        + &format!("3e8\r\n{}\r\n", "x".repeat(1000)).repeat(5) + "0\r\n\r\n");
    response_header_past_the_deadline = Expected {
        cause: "response_deadline",
        outcome: Made(504),
        error: "http_response_timeout",
        evidence: &["limit_ms", "setting"],
        ..FAILED
    }, || after("read: 5s, response: 400ms", |mut connection| {
        connection.send("HTTP/1.1 200 OK\r\n");
        while !connection.left_within(std::time::Duration::from_millis(20)) {
            connection.send("X-Slow: 1\r\n");
        }
    });
    origin_expects_tls = Expected {
        cause: "origin_expects_tls",
        party: "proxy",
        error: "http_protocol_error",
        evidence: &["first_bytes"],
        ..FAILED
    }, || answered(b"\x15\x03\x01\x00\x02\x02\x0a");
    origin_expects_tls_by_its_words = Expected {
        cause: "origin_expects_tls",
        party: "proxy",
        error: "http_protocol_error",
        evidence: &["first_bytes", "status"],
        ..FAILED
    }, || answered("HTTP/1.1 400 Bad Request\r\nContent-Length: 46\r\n\r\n\
        The plain HTTP request was sent to HTTPS port\n");
    upgrade_failed = Expected {
        cause: "upgrade_failed",
        error: "http_upgrade_failed",
        evidence: &["offered", "selected"],
        ..FAILED
    }, || {
        let told = switching(ASK, "Upgrade: h2c\r\n");
        assert_eq!(told.text("evidence.offered"), "websocket");
        assert_eq!(told.text("evidence.selected"), "h2c");
        told
    };
    upgrade_unasked = Expected {
        cause: "upgrade_failed",
        error: "http_upgrade_failed",
        evidence: &["offered", "selected"],
        ..FAILED
    }, || {
        let told = switching("", "Upgrade: websocket\r\n");
        assert_eq!(told.text("evidence.offered"), "nothing");
        told
    };
    upgrade_not_passed_on = Expected {
        cause: "upgrade_failed",
        error: "http_upgrade_failed",
        evidence: &["offered", "selected"],
        ..FAILED
    }, || {
        // What is no WebSocket is not asked for in the client's stead.
        let told = switching("Connection: Upgrade\r\nUpgrade: x\r\n", "Upgrade: x\r\n");
        assert_eq!(told.text("evidence.offered"), "nothing");
        told
    };
    upgrade_broken_off = Expected { ..FAILED }, || {
        let origin = Origin::new(|mut connection| {
            connection.request();
            connection.send("HTTP/1.1 101 Switching Proto");
            connection.close();
        });
        Settings::to(&origin).once().start().send(format!("{GET}{ASK}\r\n"))
    };
    next_hop_error = Expected {
        cause: "next_hop_error",
        party: "next-hop",
        certainty: "claimed",
        outcome: Passed(503),
        error: "",
        params: &[("received-status", "503"), ("next-hop", "*")],
        evidence: &["status"],
        ..FAILED
    }, || {
        let origin = Origin::answering(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\
             Proxy-Status: tier2; error=connection_refused; cause=connect_refused\r\n\r\n",
        );
        let told = Settings::to(&origin).having("hop: true").once().start().get("/");
        assert_eq!(told.text("evidence.inner_cause"), "connect_refused", "{:#}", told.record);
        told
    };
    origin_error = Expected {
        cause: "origin_error",
        outcome: Passed(503),
        error: "",
        params: &[("received-status", "503"), ("next-hop", "*")],
        evidence: &["status"],
        ..FAILED
    }, || answered("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\nX-Why: db\r\n\r\nsorry");
    keepalive_race = Expected {
        cause: "keepalive_race",
        certainty: "likely",
        party: "proxy",
        params: &[("next-hop", "*")],
        evidence: &["idle_ms"],
        ..FAILED
    }, || {
        // The second request on a connection is met by its end.
        let origin = Origin::new(|mut connection| {
            connection.request();
            connection.send(OK);
            connection.request();
            connection.reset();
        });
        let proxy = Settings::to(&origin).start();
        assert_eq!(proxy.get("/").status(), 200);
        std::thread::sleep(crate::lab::RESTED);
        proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi")
    };
    closed_by_a_worker_that_ended = ENDED, || ending(crate::rig::origin::Conversation::close);
    reset_by_a_worker_that_ended =
        Expected { cause: "origin_reset", ..ENDED },
        || ending(crate::rig::origin::Conversation::reset);
}

const ENDED: Expected = Expected {
    cause: "origin_closed",
    sent: "acked",
    params: &[("next-hop", "*")],
    evidence: &["idle_ms", "waited_ms"],
    ..FAILED
};

/// The second request on a connection is read, and the connection ended because of it.
fn ending(end: fn(crate::rig::origin::Conversation)) -> Told {
    let origin = Origin::new(move |mut connection| {
        connection.request();
        connection.send(OK);
        connection.request();
        end(connection);
    });
    let proxy = Settings::to(&origin).start();
    assert_eq!(proxy.get("/").status(), 200);
    proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi")
}
