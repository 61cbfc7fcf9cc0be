//! Uploads that end early: who is to blame when the origin answers, or stalls, before it has the
//! whole request.

mod stalled;
mod taken;

use crate::rig::client::Client;
use crate::rig::h2;
use crate::rig::message::Response;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

const REFUSED: &str = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno";
const TOO_LARGE: &str = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno";
const EXPECTING: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\n\
     Content-Length: 10\r\n\r\n";
const HALF: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhalf";

/// An origin that answers once it has read a head, and one exchange with it.
fn early(
    answer: &'static str,
    request: &str,
    then: impl FnOnce(&mut Client) -> Option<Response>,
) -> Told {
    let origin = Origin::new(move |mut connection| {
        connection.head();
        connection.send(answer);
        connection.hold();
    });
    let proxy = Settings::to(&origin).with("timeouts", "request_body: 300ms").start();
    proxy.tell(|client| {
        client.send(request);
        then(client)
    })
}

/// The client takes the answer and never sends the rest.
fn stays(client: &mut Client) -> Option<Response> {
    let answer = client.receive("POST");
    client.over();
    answer
}

/// The client takes the answer and leaves.
fn leaves(client: &mut Client) -> Option<Response> {
    let answer = client.receive("POST");
    client.finish();
    answer
}

#[test]
fn a_client_that_was_told_not_to_send_its_body_did_nothing_wrong() {
    for (answer, status) in [(REFUSED, 417), (TOO_LARGE, 413)] {
        for then in [stays, leaves] {
            let told = early(answer, EXPECTING, then);
            assert!(told.record["cause"].is_null(), "{:#}", told.record);
            assert_eq!(told.record["status"], status);
        }
    }
    let told = early(BUSY, EXPECTING, leaves);
    assert_eq!(told.text("cause"), "origin_error", "{:#}", told.record);
}

#[test]
fn an_origin_that_invites_a_body_and_then_refuses_it_answers_early() {
    let origin = Origin::new(|mut connection| {
        connection.head();
        connection.pour(b"HTTP/1.1 100 Continue\r\n\r\n");
        if connection.unread().is_empty() {
            connection.fill();
        }
        connection.send(TOO_LARGE);
        connection.reset();
    });
    let proxy = Settings::to(&origin).start();
    let told = proxy.tell(|client| {
        client.send(EXPECTING);
        assert_eq!(client.line(), b"HTTP/1.1 100 Continue");
        assert_eq!(client.line(), b"");
        client.send("half");
        client.receive("POST")
    });
    assert_eq!(told.text("cause"), "origin_early_response", "{:#}", told.record);
    assert_eq!(told.status(), 413);
    assert_eq!(told.value("evidence.written"), 4);
}

#[test]
fn an_early_5xx_stays_the_origins_whatever_the_client_does_then() {
    for then in [stays, leaves] {
        let told = early(BUSY, HALF, then);
        assert_eq!(told.text("cause"), "origin_early_response", "{:#}", told.record);
        assert_eq!(told.record["status"], 503);
    }
}

#[test]
fn an_origin_that_neither_invites_the_body_nor_answers_is_slow() {
    let origin = Origin::new(|mut connection| while connection.request().is_some() {});
    let proxy = Settings::to(&origin).with("timeouts", "read: 250ms").start();
    let told = proxy.send(EXPECTING);
    assert_eq!(told.text("cause"), "origin_slow", "{:#}", told.record);
    assert_eq!(told.text("phase"), "wait");
    assert_eq!(told.value("evidence")["setting"], "timeouts.read");
}

#[test]
fn an_origin_that_stops_reading_is_not_a_slow_client() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::new(move |mut connection| {
        connection.head();
        let _ = wait.lock().expect("nobody panicked").recv();
    });
    let proxy = Settings::to(&origin).with("timeouts", "write: 400ms, read: 300ms").start();
    let size = 64 << 20;
    let told = proxy.tell(|client| {
        client.send(format!("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {size}\r\n\r\n"));
        client.upload(size);
        client.receive("POST")
    });
    drop(done);
    assert_eq!(told.text("cause"), "request_write_timeout", "{:#}", told.record);
    assert_eq!(told.text("party"), "origin");
    assert_eq!(told.value("evidence")["setting"], "timeouts.write");
}

#[test]
fn a_client_that_stalls_its_upload_while_it_is_answered_is_no_slow_reader() {
    let told = early("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", HALF, stays);
    assert_eq!(told.text("cause"), "client_slow", "{:#}", told.record);
    assert_eq!(told.value("evidence")["setting"], "timeouts.request_body");
}

/// The answer lies there while the proxy still waits for the origin to take more of the body.
#[test]
fn an_early_answer_of_an_origin_that_reads_no_more_arrives_at_the_limit_for_writing() {
    let (full, waiting) = std::sync::mpsc::channel::<()>();
    let waiting = std::sync::Mutex::new(waiting);
    let origin = Origin::new(move |mut connection| {
        connection.head();
        let waiting = waiting.lock().expect("nobody panicked");
        waiting.recv().expect("the test waits");
        connection.send(TOO_LARGE);
        // The other end of the channel goes when the test is over.
        let _ = waiting.recv();
    });
    let proxy = Settings::to(&origin).with("timeouts", "write: 1s").start();
    let told = proxy.tell(|client| {
        client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 67108864\r\n\r\n");
        client.fill_up();
        full.send(()).expect("the origin waits");
        client.receive("POST")
    });
    drop(full);
    assert_eq!(told.text("cause"), "origin_early_response", "{:#}", told.record);
    assert_eq!(told.status(), 413);
}

/// A way to leave a connection.
type Leave = fn(Conversation);

/// How an origin leaves that has answered in the middle of an upload.
const LEAVING: [(&str, Leave); 4] = [
    ("fin", Conversation::close),
    ("rst", Conversation::reset),
    ("unread", drop),
    ("stays", Conversation::hold),
];

/// An origin that reads the head and a piece of the body, answers with the status that the path
/// asks for, and leaves in the way that it asks for.
fn hasty() -> Origin {
    Origin::new(|mut connection| {
        let Some(asked) = connection.head() else { return };
        if connection.unread().is_empty() {
            connection.fill();
        }
        let mut parts = asked.target.trim_start_matches('/').split('/');
        let status = parts.next().expect("a path has a first part");
        let how = parts.next().expect("and a second");
        let body = "x".repeat(3_000);
        connection.send(format!(
            "HTTP/1.1 {status} So It Is\r\nX-Kept: yes\r\nContent-Length: 3000\r\n\r\n{body}"
        ));
        let (_, leave) = LEAVING.iter().find(|(name, _)| *name == how).expect("one of them");
        leave(connection);
    })
}

#[test]
fn an_early_answer_arrives_whole_however_the_origin_leaves() {
    const LARGE: u64 = 16 << 20;
    let origin = hasty();
    let proxy = Settings::to(&origin)
        .with("timeouts", "request_body: 300ms, write: 500ms, read: 5s")
        .once()
        .start();
    for status in [200, 401, 403, 413, 503] {
        for (how, _) in LEAVING {
            for framing in ["length", "chunked"] {
                for large in [false, true] {
                    let case = format!("{status} {how} {framing} large: {large}");
                    let told = proxy.tell(|client| {
                        let (field, begin) = match framing {
                            "length" => (format!("Content-Length: {LARGE}"), String::new()),
                            _ => ("Transfer-Encoding: chunked".into(), format!("{LARGE:x}\r\n")),
                        };
                        client.send(format!(
                            "POST /{status}/{how} HTTP/1.1\r\nHost: app.test\r\n{field}\r\n\r\n{begin}"
                        ));
                        if large {
                            client.upload(LARGE);
                        } else {
                            client.send("a little");
                        }
                        client.receive("POST")
                    });
                    assert_eq!(told.status(), status, "{case}: {:#}", told.record);
                    assert!(told.answer().whole(), "{case}: {:?}", told.answer());
                    assert_eq!(
                        told.answer().fields.text("x-kept").as_deref(),
                        Some("yes"),
                        "{case}"
                    );
                    assert_eq!(told.record["generated"], false, "{case}: {:#}", told.record);
                    if status < 400 {
                        assert!(told.record["cause"].is_null(), "{case}: {:#}", told.record);
                        continue;
                    }
                    for (field, value) in [
                        ("cause", "origin_early_response"),
                        ("party", "origin"),
                        ("phase", "send"),
                        ("certainty", "proved"),
                        ("sent", "partial"),
                    ] {
                        assert_eq!(told.text(field), value, "{case}: {:#}", told.record);
                    }
                    assert!(told.value("evidence.written").as_u64() > Some(0), "{:#}", told.record);
                }
            }
        }
    }
}

#[test]
fn an_early_answer_over_http2_arrives_whole() {
    for status in [401, 413, 503] {
        let origin = h2::Origin::plain(move |_, _| h2::Act::Early(h2::Answer::new(status, "no")));
        let proxy = Settings::endpoints(&[&origin.endpoint])
            .having("protocol: h2c")
            .with("timeouts", "request_body: 300ms")
            .start();
        for large in [false, true] {
            let told = proxy.tell(|client| {
                client
                    .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 16777216\r\n\r\n");
                if large {
                    client.upload(16 << 20);
                } else {
                    client.send("a little");
                }
                client.receive("POST")
            });
            let case = format!("{status}, large: {large}: {:#}", told.record);
            assert_eq!(told.status(), status, "{case}");
            assert_eq!(told.answer().text(), "no", "{case}");
            assert_eq!(told.text("cause"), "origin_early_response", "{case}");
        }
    }
}
