//! Origins that speak HTTP/2: streams that are reset, connections that are said goodbye to.

mod requests;
mod shared;

use h2::Reason;

use crate::causes::Outcome::{BrokenOff, Made};
use crate::causes::{Expected, cases};
use crate::rig::certificates::{Authority, Says};
use crate::rig::frames::{Frame, Framed};
use crate::rig::h2::{Act, Answer, Origin};
use crate::rig::message::Request;
use crate::rig::origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;

const RESET: Expected = Expected {
    cause: "h2_stream_reset",
    party: "origin",
    phase: "wait",
    certainty: "proved",
    sent: "full|acked",
    outcome: Made(502),
    error: "http_protocol_error",
    params: &[("next-hop", "*")],
    evidence: &["error_code"],
};

const GOODBYE: Expected = Expected { cause: "h2_goaway", error: "connection_terminated", ..RESET };

/// A proxy before this origin, with no second attempt.
fn before(origin: &Origin) -> Proxy {
    Settings::endpoints(&[&origin.endpoint])
        .passing(origin.journal())
        .with("timeouts", "read: 900ms, write: 900ms")
        .once()
        .having("protocol: h2c")
        .start()
}

/// A GET to an origin that does so.
fn met(act: Act) -> Told {
    let told = before(&Origin::plain(move |_, _| act.clone())).get("/");
    if told.text("cause") == "h2_stream_reset" {
        assert!(
            told.value("evidence.error_code").is_number()
                || !told.text("evidence.error_code").is_empty()
        );
    }
    told
}

/// The same over TLS.
fn met_over_tls(act: Act) -> Told {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&Says::names(&["app.test"]))).speaking(&["h2"]);
    let origin = Origin::tls(&tls, move |_, _| act.clone());
    Settings::endpoints(&[&origin.endpoint])
        .passing(origin.journal())
        .once()
        .having(&format!("tls: {{ sni: app.test, ca: \"{}\" }}", root.file().display()))
        .start()
        .get("/")
}

/// A second request on a connection that carried a good one.
fn met_on_a_reused_connection(act: Act) -> Told {
    let origin = Origin::plain(move |_, nth| match nth {
        0 => Act::Answer(Answer::new(200, "ok")),
        _ => act.clone(),
    });
    let proxy = before(&origin);
    assert_eq!(proxy.get("/").status(), 200);
    let told = proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(origin.connections(), 1);
    told
}

fn half() -> Answer {
    Answer::part(200, "half", 8)
}

cases! {
    h2_stream_reset = RESET, || met(Act::Reset(Reason::INTERNAL_ERROR));
    h2_stream_reset_over_tls = RESET, || met_over_tls(Act::Reset(Reason::INTERNAL_ERROR));
    h2_stream_reset_on_a_reused_connection = RESET,
        || met_on_a_reused_connection(Act::Reset(Reason::ENHANCE_YOUR_CALM));
    h2_stream_refused = RESET, || met(Act::Reset(Reason::REFUSED_STREAM));
    h2_stream_reset_in_mid_answer = Expected {
        phase: "receive", outcome: BrokenOff(200), params: &[], ..RESET
    }, || met(Act::BreakOff(half(), Reason::INTERNAL_ERROR));
    /// An orderly end that leaves the request out.
    h2_goaway_before_the_request = GOODBYE, || {
        let origin = origin::Origin::new(|connection| {
            let Some(mut framed) = Framed::greet(connection) else { return };
            framed.request();
            framed.send(&Frame::goaway(0, u32::from(Reason::NO_ERROR)));
            framed.connection().hold();
        });
        Settings::endpoints(&[&origin.endpoint])
            .once()
            .having("protocol: h2c")
            .start()
            .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi")
    };
    /// A goodbye with a code, and the end of the connection right after it.
    h2_goaway = GOODBYE, || met(Act::Goaway(Reason::ENHANCE_YOUR_CALM));
    h2_goaway_over_tls = GOODBYE, || met_over_tls(Act::Goaway(Reason::INTERNAL_ERROR));
    h2_goaway_on_a_reused_connection = GOODBYE,
        || met_on_a_reused_connection(Act::Goaway(Reason::INTERNAL_ERROR));
    h2_silence = Expected {
        cause: "origin_slow",
        outcome: Made(504),
        error: "connection_read_timeout",
        evidence: &["limit_ms", "setting"],
        ..RESET
    }, || met(Act::Silence);
    h2_answer_stalled = Expected {
        cause: "response_stalled",
        phase: "receive",
        outcome: BrokenOff(200),
        error: "connection_read_timeout",
        params: &[],
        evidence: &["limit_ms", "setting", "received"],
        ..RESET
    }, || met(Act::Pause(half()));
    h2_answer_cut = Expected {
        cause: "response_truncated",
        phase: "receive",
        outcome: BrokenOff(200),
        error: "http_response_incomplete",
        params: &[],
        evidence: &["received", "expected"],
        ..RESET
    }, || met(Act::Cut(half()));
    h2_closed_without_an_answer = Expected {
        cause: "origin_closed", error: "connection_terminated", evidence: &["received", "waited_ms"],
        ..RESET
    }, || met(Act::Leave);
    /// The origin gives no more room for the upload.
    h2_upload_stalled = Expected {
        cause: "request_write_timeout",
        phase: "send",
        sent: "partial",
        outcome: Made(504),
        error: "connection_write_timeout",
        evidence: &["limit_ms", "setting"],
        ..RESET
    }, || upload(Act::Stall);
    /// It speaks HTTP/1.1, and takes the preface for nonsense.
    h2c_to_an_origin_of_http1 = Expected {
        cause: "alpn_mismatch",
        party: "proxy",
        error: "http_upgrade_failed",
        evidence: &["first_bytes", "offered", "selected"],
        ..RESET
    }, || {
        let origin = origin::Origin::new(|mut connection| {
            connection.fill();
            connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            connection.close();
        });
        Settings::endpoints(&[&origin.endpoint]).once().having("protocol: h2c").start().get("/")
    };
}

/// An upload of a mebibyte.
fn upload(act: Act) -> Told {
    let size = 1 << 20;
    before(&Origin::plain(move |_, _| act.clone())).tell(|client| {
        client.send(format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {size}\r\n\r\n"));
        client.upload(size);
        client.receive("PUT")
    })
}

#[test]
fn a_good_answer_passes_in_plain_text_and_over_tls() {
    let good = || Act::Answer(Answer::new(200, "ok"));
    assert_eq!(met(good()).answer().text(), "ok");
    assert_eq!(met_over_tls(good()).answer().text(), "ok");
}

#[test]
fn an_early_answer_to_an_upload_passes() {
    let told = upload(Act::Early(Answer::new(413, "too much")));
    assert_eq!((told.status(), told.answer().text().as_str()), (413, "too much"));
}

/// A stream that was refused has not been looked at (RFC 9113 section 8.7).
#[test]
fn a_refused_stream_is_safely_tried_again() {
    let refuse = |_: &Request, nth| match nth {
        0 => Act::Reset(Reason::REFUSED_STREAM),
        _ => Act::Answer(Answer::new(200, "ok")),
    };
    let (first, second) = (Origin::plain(refuse), Origin::plain(refuse));
    let proxy = Settings::endpoints(&[&first.endpoint, &second.endpoint])
        .having("retries: { attempts: 4 }")
        .having("protocol: h2c")
        .start();
    let told = proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    // Each refuses the first request that it gets, and there is no third.
    assert_eq!(told.text("attempts.0.cause"), "h2_stream_reset", "{:#}", told.record);
    assert_eq!(told.text("attempts.1.cause"), "h2_stream_reset", "{:#}", told.record);
    let told = proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(told.status(), 200, "{:#}", told.record);
}

/// Any other code says nothing of that.
#[test]
fn a_stream_that_was_reset_otherwise_is_not_tried_again() {
    let reset = |_: &Request, _| Act::Reset(Reason::INTERNAL_ERROR);
    let (first, second) = (Origin::plain(reset), Origin::plain(reset));
    let proxy =
        Settings::endpoints(&[&first.endpoint, &second.endpoint]).having("protocol: h2c").start();
    let told = proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(told.value("attempts").as_array().map(Vec::len), Some(1), "{:#}", told.record);
}

/// What this proxy finds wrong in the middle of a body is its own word, whatever carries the rest.
#[test]
fn a_body_over_the_limit_is_not_the_origins_fault() {
    let origin = Origin::plain(|_, _| Act::Stall);
    let proxy = Settings::endpoints(&[&origin.endpoint])
        .passing(origin.journal())
        .with("limits", "request_body: 4KiB")
        .having("protocol: h2c")
        .start();
    let piece = "x".repeat(3_000);
    let told = proxy.tell(|client| {
        client.send("PUT / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send(format!("bb8\r\n{piece}\r\nbb8\r\n{piece}\r\n0\r\n\r\n"));
        client.receive("PUT")
    });
    assert_eq!((told.status(), told.text("cause")), (413, "client_body_too_large"));
    assert_eq!(told.text("sent"), "partial", "{:#}", told.record);
    assert_eq!(told.value("attempts").as_array().map(Vec::len), Some(1));
}

#[test]
fn the_limit_for_sending_is_kept_and_what_was_taken_is_counted() {
    let origin = Origin::plain(|_, _| Act::Stall);
    let told = Settings::endpoints(&[&origin.endpoint])
        .passing(origin.journal())
        .with("timeouts", "write: 300ms")
        .once()
        .having("protocol: h2c")
        .start()
        .tell(|client| {
            let size = 1 << 20;
            let head =
                format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {size}\r\n\r\n");
            client.send(head);
            client.upload(size);
            client.receive("PUT")
        });
    assert_eq!(told.text("cause"), "request_write_timeout");
    assert_eq!(told.value("evidence.limit_ms"), 300);
    assert_eq!(told.value("evidence.written"), 65_535, "the window of a stream: {:#}", told.record);
    let total = told.value("times_ms.total").as_f64().expect("a number");
    assert!(total < 30_000.0, "the limit for reading, of 60 s, was waited for: {total}");
}

/// It need not say that it wants no more (RFC 9113 section 8.1).
#[test]
fn an_early_answer_is_not_held_up_by_what_the_origin_does_not_take() {
    let origin = origin::Origin::new(|connection| {
        let Some(mut framed) = Framed::greet(connection) else { return };
        let Some(stream) = framed.request() else { return };
        framed.send(&Frame::status(stream, 413, true));
        framed.connection().hold();
    });
    let proxy = Settings::endpoints(&[&origin.endpoint]).once().having("protocol: h2c").start();
    let told = proxy.tell(|client| {
        let size = 1 << 20;
        client.send(format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {size}\r\n\r\n"));
        client.upload(size);
        client.receive("PUT")
    });
    assert_eq!((told.status(), told.text("cause")), (413, "origin_early_response"));
    let total = told.value("times_ms.total").as_f64().expect("a number");
    assert!(total < 20_000.0, "the limit for sending, of 30 s, was waited for: {total}");
}

/// An origin of HTTP/2 that breaks its rules does not speak another protocol.
#[test]
fn what_is_wrong_with_the_frames_is_told() {
    for (bytes, rule) in [
        (&b"\xff\xff\xff\x04\0\0\0\0\0"[..], "has a size that it must not have"),
        (b"\0\0\x05\x01\x05\0\0\0\x01\xff\xff\xff\xff\xff", "breaks the rules of HTTP/2"),
        (b"\0\0\x04\x01\x05\0\0\0\x01\0\x01a\0", "breaks the rules of HTTP/2"),
    ] {
        let origin = origin::Origin::new(move |connection| {
            let Some(mut framed) = Framed::greet(connection) else { return };
            framed.request();
            let mut connection = framed.connection();
            connection.pour(bytes);
            connection.hold();
        });
        let proxy = Settings::endpoints(&[&origin.endpoint]).once().having("protocol: h2c").start();
        let told = proxy.get("/");
        assert_eq!(told.text("cause"), "response_malformed", "{:#}", told.record);
        let found = told.text("evidence.rule");
        assert!(found.contains(rule), "{found}, not {rule}");
        assert!(!told.text("says").contains("looks like"), "{}", told.text("says"));
    }
}

/// An answer that ends before its length did not end by the connection.
#[test]
fn an_answer_that_is_shorter_than_it_says_breaks_the_rules() {
    let told = met(Act::Answer(half()));
    assert_eq!(told.text("cause"), "response_malformed", "{:#}", told.record);
    assert!(told.value("evidence.left").is_null(), "{:#}", told.record);
}
