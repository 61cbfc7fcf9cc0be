//! Uploads that end early: who is to blame when the origin answers, or stalls, before it has the
//! whole request.

use crate::rig::client::Client;
use crate::rig::message::Response;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

const REFUSED: &str = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno";
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
    for then in [stays, leaves] {
        let told = early(REFUSED, EXPECTING, then);
        assert!(told.record["cause"].is_null(), "{:#}", told.record);
        assert_eq!(told.record["status"], 417);
    }
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
