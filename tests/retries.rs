//! Trying again: where it helps, and where it could do harm.

mod budget;
mod elsewhere;
mod http2;
mod statuses;

use crate::causes::path::moving;
use crate::lab::RESTED;
use crate::rig::dns::{Answer, Dns};
use crate::rig::net::Refusing;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::promise::Told;
use crate::rig::settings::Settings;
use crate::rig::until;

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
fn an_endpoint_that_falls_silent_is_made_up_for_by_another_one() {
    let silent =
        Origin::new(|mut connection: Conversation| while connection.request().is_some() {});
    let origin = Origin::answering(OK);
    let endpoints = [silent.endpoint.as_str(), &origin.endpoint];
    let settings = Settings::endpoints(&endpoints).knowing(&origin).with("timeouts", "read: 300ms");
    let proxy = settings.start();
    let gets: Vec<Told> = (0..2).map(|_| proxy.get("/")).collect();
    assert!(gets.iter().all(|told| told.status() == 200), "{gets:?}");
    let slow = |told: &&Told| told.value("attempts").as_array().is_some_and(|all| all.len() == 2);
    let saved = gets.iter().find(slow).expect("round robin meets both endpoints");
    assert_eq!(saved.value("attempts")[0]["cause"], "origin_slow");
    let posts: Vec<Told> = (0..2).map(|_| proxy.send(POST)).collect();
    let failed = posts.iter().find(|told| told.status() == 504).expect("one met the silent one");
    assert_eq!(failed.text("cause"), "origin_slow");
    assert_eq!(failed.value("attempts").as_array().map(Vec::len), Some(1), "it may do harm");
    let alone = Settings::endpoints(&[&silent.endpoint]).with("timeouts", "read: 300ms").start();
    let told = alone.get("/");
    assert_eq!(told.status(), 504);
    let attempts = told.value("attempts").as_array().map(Vec::len);
    assert_eq!(attempts, Some(1), "the same one would hardly be quicker");
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
        connection.reset();
    })
}

#[test]
fn a_get_that_lost_the_race_is_tried_on_a_fresh_connection() {
    let origin = racing();
    let proxy = Settings::to(&origin).start();
    assert_eq!(proxy.get("/").status(), 200);
    std::thread::sleep(RESTED);
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
    std::thread::sleep(RESTED);
    let told = proxy.send(POST);
    assert_eq!(told.text("cause"), "keepalive_race");
    assert_eq!(told.status(), 502);
    assert_eq!(origin.connections(), 1);
}

/// A crash looks like a race only to those who do not look at what was confirmed.
#[test]
fn a_get_that_ends_one_worker_after_another_lost_no_race() {
    let origin = Origin::new(|mut connection| {
        while let Some(request) = connection.request() {
            if request.target == "/crash" {
                return connection.close();
            }
            connection.send(OK);
        }
    });
    let proxy = Settings::to(&origin).start();
    assert_eq!(proxy.get("/").status(), 200);
    let told = proxy.get("/crash");
    assert_eq!(told.text("cause"), "origin_closed");
    for attempt in ["attempts.0.cause", "attempts.1.cause"] {
        assert_eq!(told.value(attempt), "origin_closed", "{:#}", told.record);
    }
    assert!(told.value("evidence.origin_idle_ms").is_null(), "{:#}", told.record);
}

#[test]
fn an_origin_that_moved_is_found_again_within_the_request() {
    let closed = Refusing::new();
    let (dns, settings) = moving(&closed.endpoint);
    let port: u16 = closed.endpoint.rsplit_once(':').expect("a port").1.parse().expect("a number");
    let origin = Origin::at(([127, 0, 0, 3], port).into(), |mut connection| {
        while connection.request().is_some() {
            connection.send(OK);
        }
    });
    let proxy = settings.knowing(&origin).start();
    let told = proxy.get("/");
    assert_eq!(told.text("cause"), "connect_refused", "{:#}", told.record);
    let attempts = |told: &Told| told.value("attempts").as_array().map_or(0, Vec::len);
    assert_eq!(attempts(&told), 1, "there is nowhere else to go");
    dns.set("api.test", Answer::Addresses(vec![[127, 0, 0, 3].into()], 300));
    // What was learned within the last second is not asked for again.
    let told = until("the name to be asked for again", || {
        let told = proxy.send(POST);
        (told.status() == 200).then_some(told)
    });
    assert!(told.value("cause").is_null(), "{:#}", told.record);
    assert_eq!(attempts(&told), 2, "{:#}", told.record);
    assert_eq!(told.text("attempts.0.cause"), "dns_stale_address");
    assert_eq!(told.text("attempts.1.next_hop"), origin.endpoint);
    let told = proxy.send(POST);
    assert_eq!((told.status(), attempts(&told)), (200, 1), "the fresh address is used from now on");
}

#[test]
fn another_address_of_the_same_name_is_tried() {
    let closed = Refusing::new();
    let (dns, settings) = moving(&closed.endpoint);
    let port: u16 = closed.endpoint.rsplit_once(':').expect("a port").1.parse().expect("a number");
    let origin = Origin::at(([127, 0, 0, 3], port).into(), |mut connection| {
        while connection.request().is_some() {
            connection.send(OK);
        }
    });
    let both = vec![[127, 0, 0, 1].into(), [127, 0, 0, 3].into()];
    dns.set("api.test", Answer::Addresses(both, 300));
    let proxy = settings.knowing(&origin).start();
    for _ in 0..4 {
        assert_eq!(proxy.send(POST).status(), 200);
    }
}

#[test]
fn an_endpoint_that_was_passed_over_stands_in_the_record_of_a_failure() {
    let closed = Refusing::new();
    let dns = Dns::new();
    dns.set("gone.test", Answer::Rcode(3));
    let proxy = Settings::endpoints(&["gone.test:80", &closed.endpoint])
        .with("resolver", &format!("servers: [ \"{}\" ], timeout: 200ms, attempts: 1", dns.address))
        .start();
    let told = proxy.get("/");
    assert_eq!(told.text("cause"), "connect_refused", "{:#}", told.record);
    let passed = told.value("evidence.endpoints.0").as_str().unwrap_or_default();
    assert_eq!(passed, "gone.test:80 (dns_name_not_found)", "{:#}", told.record);
}

#[test]
fn an_answer_that_could_not_be_renewed_is_told_of() {
    let closed = Refusing::new();
    let (dns, settings) = moving(&closed.endpoint);
    dns.set("api.test", Answer::Addresses(vec![[127, 0, 0, 1].into()], 1));
    let proxy = settings.start();
    assert_eq!(proxy.get("/").text("cause"), "connect_refused");
    dns.set("api.test", Answer::Rcode(2));
    let told = until("the answer to be past its time", || {
        let told = proxy.get("/");
        (told.value("evidence.answer_overdue") == true).then_some(told)
    });
    assert_eq!(told.text("cause"), "connect_refused", "{:#}", told.record);
    assert_eq!(told.text("evidence.rcode"), "SERVFAIL");
    assert!(told.value("evidence.answer_age_ms").as_u64() >= Some(1_000), "{:#}", told.record);
}

#[test]
fn a_silent_name_server_holds_no_verdict_up_for_long() {
    let closed = Refusing::new();
    let dns = Dns::new();
    dns.set("api.test", Answer::Addresses(vec![[127, 0, 0, 1].into()], 300));
    let port = closed.endpoint.rsplit_once(':').expect("a port").1;
    let resolver = format!("servers: [ \"{}\" ], timeout: 30s, attempts: 1", dns.address);
    let proxy =
        Settings::endpoints(&[&format!("api.test:{port}")]).with("resolver", &resolver).start();
    assert_eq!(proxy.get("/").text("cause"), "connect_refused");
    dns.set("api.test", Answer::Silence);
    let asked = dns.asked().len();
    let told = until("the name to be asked for again", || {
        let told = proxy.get("/");
        (dns.asked().len() > asked).then_some(told)
    });
    assert_eq!(told.text("cause"), "connect_refused", "{:#}", told.record);
    assert!(told.value("times_ms.total").as_f64() < Some(10_000.0), "{:#}", told.record);
}
