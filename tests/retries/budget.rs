//! How often, and how soon, requests are tried again.

use super::{OK, closing};
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;

/// What may be sent once more in ten seconds in any case.
const ANYWAY: usize = 30;

#[test]
fn too_many_retries_are_withheld_and_that_is_told() {
    let dying = [closing(), closing()];
    let endpoints = [dying[0].endpoint.as_str(), dying[1].endpoint.as_str()];
    let proxy = Settings::endpoints(&endpoints).having("retries: { budget: 0% }").start();
    let attempts: Vec<usize> = (0..ANYWAY + 5)
        .map(|_| {
            let told = proxy.get("/");
            assert_eq!(told.text("cause"), "origin_closed");
            let attempts = told.value("attempts").as_array().map_or(0, Vec::len);
            let withheld = told.value("evidence.retry_withheld");
            match attempts {
                1 => assert_eq!(withheld, "upstreams.web.retries.budget", "{:#}", told.record),
                _ => assert!(withheld.is_null(), "{:#}", told.record),
            }
            attempts
        })
        .collect();
    // On a machine that is very slow the ten seconds may be over.
    assert!(attempts[..ANYWAY].iter().all(|attempts| *attempts == 2), "{attempts:?}");
    assert!(attempts[ANYWAY..].contains(&1), "{attempts:?}");
    let unlimited = Settings::endpoints(&endpoints).having("retries: { budget: null }").start();
    for _ in 0..ANYWAY + 5 {
        assert_eq!(unlimited.get("/").value("attempts").as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn an_answer_that_would_not_have_been_taken_passes_when_the_budget_is_spent() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let busy = [Origin::answering(busy), Origin::answering(busy)];
    let proxy = Settings::endpoints(&[&busy[0].endpoint, &busy[1].endpoint])
        .knowing(&busy[0])
        .knowing(&busy[1])
        .having("retries: { budget: 0%, on: [ 503 ] }")
        .start();
    let told: Vec<_> = (0..ANYWAY + 5).map(|_| proxy.get("/")).collect();
    let withheld = told.iter().filter(|told| !told.value("evidence.retry_withheld").is_null());
    assert!((1..=5).contains(&withheld.count()));
    assert!(told.iter().all(|told| told.status() == 503 && told.text("cause") == "origin_error"));
}

#[test]
fn what_no_origin_worked_on_is_not_counted() {
    let (closed, origin) = (Refusing::new(), Origin::answering(OK));
    let proxy = Settings::endpoints(&[&closed.endpoint, &origin.endpoint])
        .knowing(&origin)
        .having("retries: { budget: 0% }")
        .start();
    for _ in 0..3 * ANYWAY {
        assert_eq!(proxy.get("/").status(), 200);
    }
}

#[test]
fn another_attempt_waits_for_a_while() {
    let dying = [closing(), closing()];
    let endpoints = [dying[0].endpoint.as_str(), dying[1].endpoint.as_str()];
    let proxy = Settings::endpoints(&endpoints).having("retries: { backoff: 400ms }").start();
    let took: Vec<f64> =
        (0..6).map(|_| proxy.get("/").value("times_ms.total").as_f64().expect("a time")).collect();
    // Any time up to the limit: all six below a tenth of it would be one chance in a million.
    assert!(took.iter().any(|took| *took > 40.0), "{took:?}");
    let spread =
        took.iter().fold(f64::MIN, |a, b| a.max(*b)) - took.iter().fold(f64::MAX, |a, b| a.min(*b));
    assert!(spread > 10.0, "{took:?}");
}

#[test]
fn a_client_that_leaves_between_two_attempts_ends_them() {
    let dying = [closing(), closing()];
    let endpoints = [dying[0].endpoint.as_str(), dying[1].endpoint.as_str()];
    let proxy = Settings::endpoints(&endpoints).having("retries: { backoff: 1h }").start();
    let told = proxy.exchange(|| {
        let mut client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        crate::rig::until("the first attempt", || {
            (dying[0].requests().len() + dying[1].requests().len() == 1).then_some(())
        });
        client.finish_and_leave();
        None
    });
    assert_eq!(told.value("attempts").as_array().map(Vec::len), Some(1), "{:#}", told.record);
    assert_eq!(dying[0].requests().len() + dying[1].requests().len(), 1);
}
