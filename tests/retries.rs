//! Trying again: where it helps, and where it could do harm.

use crate::rig::net::Refusing;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::settings::Settings;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const POST: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi";

/// An origin that reads a request and closes.
fn closing() -> Origin {
    Origin::new(|mut connection: Conversation| {
        if connection.request().is_some() {
            connection.close();
        }
    })
}

#[test]
fn a_refused_connection_is_tried_elsewhere_whatever_the_method() {
    let (closed, origin) = (Refusing::new(), Origin::answering(OK));
    let proxy = Settings::endpoints(&[&closed.endpoint, &origin.endpoint]).knowing(&origin).start();
    let mut met_the_refusal = 0;
    for _ in 0..4 {
        let told = proxy.send(POST);
        assert_eq!(told.status(), 200);
        assert!(told.value("cause").is_null(), "a retry that succeeded is no error");
        let attempts = told.value("attempts").as_array().expect("attempts are listed").clone();
        if attempts.len() == 2 {
            met_the_refusal += 1;
            assert_eq!(attempts[0]["cause"], "connect_refused");
            assert_eq!(attempts[0]["sent"], "none");
            assert_eq!(attempts[1]["next_hop"], origin.endpoint.as_str());
        }
    }
    assert!(met_the_refusal > 0, "round robin meets both endpoints");
    assert_eq!(origin.requests().len(), 4);
}

#[test]
fn a_post_that_was_sent_is_never_sent_again() {
    let (first, second) = (closing(), closing());
    let proxy = Settings::endpoints(&[&first.endpoint, &second.endpoint]).start();
    let told = proxy.send(POST);
    assert_eq!(told.text("cause"), "origin_closed");
    assert_eq!(told.value("attempts").as_array().map(Vec::len), Some(1));
    assert_eq!(told.value("retryable"), false);
    assert_eq!(first.requests().len() + second.requests().len(), 1);
}

#[test]
fn a_get_that_was_lost_is_tried_again_and_no_more_often_than_allowed() {
    let origins = [closing(), closing(), closing()];
    let endpoints: Vec<&str> = origins.iter().map(|origin| origin.endpoint.as_str()).collect();
    let proxy = Settings::endpoints(&endpoints).having("retries: { attempts: 2 }").start();
    let told = proxy.get("/");
    assert_eq!(told.text("cause"), "origin_closed");
    assert_eq!(told.member.as_ref().and_then(|m| m.param("attempts")), Some("2"));
    assert_eq!(told.value("attempts").as_array().map(Vec::len), Some(2));
    assert_eq!(origins.iter().map(|origin| origin.requests().len()).sum::<usize>(), 2);
    assert_ne!(told.value("attempts.0.next_hop"), told.value("attempts.1.next_hop"));
}

#[test]
fn the_most_telling_of_several_failures_is_the_verdict() {
    let closed = Refusing::new();
    let dying = Origin::new(|mut connection| {
        connection.request();
        connection.close();
    });
    let proxy = Settings::endpoints(&[&dying.endpoint, &closed.endpoint])
        .having("retries: { attempts: 2 }")
        .start();
    // Whichever endpoint is first in turn, both have failed in the end.
    for _ in 0..2 {
        let told = proxy.get("/");
        let attempts = told.value("attempts").as_array().expect("attempts are listed");
        let mut causes: Vec<_> = attempts.iter().filter_map(|a| a["cause"].as_str()).collect();
        causes.sort_unstable();
        assert_eq!(causes, ["connect_refused", "origin_closed"], "{:#}", told.record);
        assert_eq!(told.text("cause"), "connect_refused");
    }
}

/// An origin that answers the first request of a connection and closes on the second.
fn racing() -> Origin {
    Origin::new(|mut connection| {
        connection.request();
        connection.send(OK);
        connection.request();
        connection.close();
    })
}

#[test]
fn a_get_that_lost_the_race_is_tried_on_a_fresh_connection() {
    let origin = racing();
    let proxy = Settings::to(&origin).start();
    assert_eq!(proxy.get("/").status(), 200);
    let told = proxy.get("/again");
    assert_eq!(told.status(), 200);
    assert_eq!(told.value("attempts.0.cause"), "keepalive_race");
    assert_eq!(told.value("attempts").as_array().map(Vec::len), Some(2));
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_post_that_lost_the_race_is_not_repeated() {
    let origin = racing();
    let proxy = Settings::to(&origin).start();
    assert_eq!(proxy.get("/").status(), 200);
    let told = proxy.send(POST);
    assert_eq!(told.text("cause"), "keepalive_race");
    assert_eq!(told.status(), 502);
    assert_eq!(origin.connections(), 1);
}
