//! `retries.on`: an answer that is not taken, because another endpoint may give a better one.

use super::{OK, POST, closing};
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\
    Proxy-Status: inner;error=connection_refused\r\n\r\nbusy";

fn settings(origins: &[&Origin]) -> Settings {
    let endpoints: Vec<&str> = origins.iter().map(|origin| origin.endpoint.as_str()).collect();
    let settings = Settings::endpoints(&endpoints);
    origins.iter().fold(settings, |settings, origin| settings.knowing(origin))
}

fn causes(told: &Told) -> Vec<&str> {
    let attempts = told.value("attempts").as_array().expect("attempts are listed");
    attempts.iter().map(|attempt| attempt["cause"].as_str().unwrap_or("none")).collect()
}

#[test]
fn a_better_answer_is_asked_for_elsewhere() {
    let (busy, good) = (Origin::answering(BUSY), Origin::answering(OK));
    let proxy = settings(&[&busy, &good]).having("retries: { on: [ 502, 503 ] }").start();
    let mut met = 0;
    for body in ["", "hi", "", "hi"] {
        let told = proxy.send(format!(
            "PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(told.status(), 200, "{:#}", told.record);
        assert!(told.value("cause").is_null() && told.member.is_none(), "{:#}", told.record);
        assert_eq!(told.value("upstream_status"), 200);
        if causes(&told).len() == 2 {
            met += 1;
            assert_eq!(causes(&told), ["origin_error", "none"]);
            assert_eq!(told.text("attempts.0.next_hop"), busy.endpoint);
        }
    }
    assert_eq!(met, 2, "round robin meets both");
    assert!(good.requests().iter().filter(|request| request.body == b"hi").count() == 2);
}

#[test]
fn without_it_or_with_another_status_the_answer_passes() {
    for retries in ["{}", "{ on: [ 502 ] }", "{ attempts: 1, on: [ 503 ] }"] {
        let busy = [Origin::answering(BUSY), Origin::answering(BUSY)];
        let proxy = settings(&[&busy[0], &busy[1]]).having(&format!("retries: {retries}")).start();
        let told = proxy.get("/");
        assert_eq!((told.status(), told.text("cause")), (503, "origin_error"), "{retries}");
        assert_eq!(causes(&told).len(), 1, "{retries}");
    }
}

#[test]
fn the_last_answer_passes_as_it_came() {
    let busy = [Origin::answering(BUSY), Origin::answering(BUSY), Origin::answering(BUSY)];
    let proxy = settings(&[&busy[0], &busy[1], &busy[2]])
        .having("retries: { attempts: 2, on: [ 503 ] }")
        .start();
    let told = proxy.get("/");
    assert_eq!((told.status(), told.answer().text().as_str()), (503, "busy"));
    assert_eq!(told.value("generated"), false);
    assert_eq!(told.text("cause"), "origin_error");
    assert_eq!(told.value("attempts").as_array().map(Vec::len), Some(2), "{:#}", told.record);
    assert_eq!(told.text("attempts.0.cause"), "origin_error");
}

#[test]
fn with_nobody_else_to_ask_it_passes() {
    let busy = Origin::answering(BUSY);
    let proxy = settings(&[&busy]).having("retries: { attempts: 3, on: [ 503 ] }").start();
    let told = proxy.get("/");
    assert_eq!((told.status(), causes(&told).len()), (503, 1), "{:#}", told.record);
}

#[test]
fn what_could_do_harm_is_not_sent_again() {
    let busy = [Origin::answering(BUSY), Origin::answering(BUSY)];
    let proxy = settings(&[&busy[0], &busy[1]]).having("retries: { on: [ 503 ] }").start();
    assert_eq!(proxy.send(POST).status(), 503);
    assert_eq!(busy[0].requests().len() + busy[1].requests().len(), 1);
}

#[test]
fn a_failure_of_the_next_attempt_is_what_is_told() {
    let (busy, closed, dying) = (Origin::answering(BUSY), Refusing::new(), closing());
    for (other, cause) in
        [(&closed.endpoint, "connect_refused"), (&dying.endpoint, "origin_closed")]
    {
        let proxy = Settings::endpoints(&[&busy.endpoint, other])
            .knowing(&busy)
            .having("retries: { on: [ 503 ] }")
            .start();
        let told = proxy.get("/");
        assert_eq!((told.status(), told.text("cause")), (502, cause), "{:#}", told.record);
        assert_eq!(causes(&told), ["origin_error", cause]);
    }
}
