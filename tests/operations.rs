//! What the people see who run it: start, stop, logs, metrics, and what strangers are told.

mod bulk;
mod flood;
mod pages;
mod process;

use serde_json::Value;

use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::promise::SECRET;
use crate::rig::settings::Settings;
use whodunit_filters::attribution::cause::CATALOGUE;

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

#[test]
fn every_cause_is_counted_from_the_start() {
    let proxy = Settings::to(&Origin::answering(OK)).start();
    let metrics = proxy.metrics();
    let causes = metrics.causes();
    for row in CATALOGUE.iter() {
        assert_eq!(causes.get(row.id), Some(&0), "{}", row.id);
    }
    for name in [
        "whodunit_requests_total",
        "whodunit_connections",
        "whodunit_log_dropped_total",
        "whodunit_config_reloads_total",
        "whodunit_build_info",
    ] {
        assert!(metrics.has(name), "{name} is missing");
    }
}

#[test]
fn requests_are_counted_by_class() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    proxy.get("/");
    proxy.get("/");
    proxy.send("TRACE / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let metrics = proxy.metrics();
    let count = |class| metrics.sum("whodunit_requests_total", &[("status_class", class)]);
    assert!((count("2xx") - 2.0).abs() < 0.5, "{metrics:?}");
    assert!((count("4xx") - 1.0).abs() < 0.5, "{metrics:?}");
}

#[test]
fn health_is_told() {
    let proxy = Settings::to(&Origin::answering(OK)).start();
    assert_eq!(proxy.ask("/livez").status, 200);
    assert_eq!(proxy.ask("/readyz").status, 200);
    assert_eq!(proxy.ask("/nothing-here").status, 404);
}

#[test]
fn recent_errors_can_be_asked_for() {
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint]).once().start();
    let ids: Vec<String> = (0..3).map(|_| proxy.get("/").text("id").to_owned()).collect();
    let ask = |path: &str| {
        let answer = proxy.ask(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_str::<Value>(&answer.text()).expect("JSON")
    };
    let all = ask("/api/v1/errors").to_string();
    assert!(ids.iter().all(|id| all.contains(id.as_str())), "{all}");
    let none = ask("/api/v1/errors?cause=origin_slow").to_string();
    assert!(!ids.iter().any(|id| none.contains(id.as_str())), "{none}");
    let one = ask(&format!("/api/v1/errors/{}", ids[0]));
    assert_eq!(one["cause"], "connect_refused", "{one}");
    assert_eq!(proxy.ask("/api/v1/errors/01JD3WZ9Q4T7M2X8V5B6N0CRKE").status, 404);
}

#[test]
fn secrets_never_reach_the_log() {
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint])
        .once()
        .with("log", "redact: [ token, session ]")
        .start();
    let told = proxy.send(format!(
        "POST /x?a=1&token={SECRET}&Session={SECRET} HTTP/1.1\r\nHost: user:x@app.test\r\n\
         Authorization: Bearer {SECRET}\r\nCookie: sid={SECRET}\r\nContent-Length: {}\r\n\r\n{SECRET}",
        SECRET.len()
    ));
    assert!(told.status() >= 400);
    let told = proxy.send(format!(
        "POST /x?a=1&token={SECRET} HTTP/1.1\r\nHost: app.test\r\n\
         Authorization: Bearer {SECRET}\r\nCookie: sid={SECRET}\r\nContent-Length: {}\r\n\r\n{SECRET}",
        SECRET.len()
    ));
    assert_eq!(told.status(), 502);
    assert!(told.text("path").starts_with("/x?a=1&token="), "{:#}", told.record);
    let answer = told.answer();
    assert!(!format!("{:?} {}", answer.fields, answer.text()).contains(SECRET));
    let errors = proxy.ask("/api/v1/errors").text();
    assert!(!errors.contains(SECRET), "{errors}");
}

#[test]
fn a_header_that_cannot_be_parsed_leaks_nothing_either() {
    let proxy = Settings::to(&Origin::answering(OK)).start();
    let told = proxy.send(format!(
        "GET / HTTP/1.1\r\nHost: app.test\r\nCookie: sid={SECRET}\r\nBad Name: {SECRET}\r\n\r\n"
    ));
    assert_eq!(told.status(), 400);
}

#[test]
fn no_request_forges_a_line() {
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint]).once().start();
    let forged = "%0A{\"cause\":\"proxy_bug\"}";
    for request in [
        format!("GET /{forged} HTTP/1.1\r\nHost: app.test\r\n\r\n"),
        "GET /\u{2028}\u{202e}x HTTP/1.1\r\nHost: app.test\r\n\r\n".to_owned(),
        "GET /\\\"},{\\\"x\\\":1 HTTP/1.1\r\nHost: app.test\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\u{1b}[31m.test\r\n\r\n".to_owned(),
    ] {
        assert!(proxy.send(request).status() >= 400);
    }
    let text = proxy.log.text();
    let plain = |c: char| c == '\n' || !c.is_control() && !['\u{2028}', '\u{202e}'].contains(&c);
    assert!(text.chars().all(plain), "{text:?}");
}

#[test]
fn a_stranger_learns_nothing_of_the_inside() {
    let closed = Refusing::new();
    let proxy = Settings::bare()
        .upstream("inner-web-7", &[&closed.endpoint])
        .once()
        .discreet()
        .with("timeouts", "request_header: 10s")
        .start();
    for accept in
        ["text/html", "application/problem+json", "application/json", "text/markdown", "*/*"]
    {
        let told =
            proxy.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\nAccept: {accept}\r\n\r\n"));
        assert_eq!(told.status(), 502);
        assert!(!told.answer().text().contains("inner-web-7"), "{}", told.answer().text());
        assert_eq!(told.text("next_hop"), closed.endpoint, "the log is always full");
    }
}

#[test]
fn whoever_holds_the_token_is_told_everything() {
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint])
        .once()
        .with("diagnosis", "debug_token: open-sesame-0123456789, disclosure: minimal")
        .start();
    let with = |token: &str| {
        let told = proxy
            .send(format!("GET / HTTP/1.1\r\nHost: app.test\r\nWhodunit-Debug: {token}\r\n\r\n"));
        told.member.expect("an error carries a verdict").param("next-hop").map(str::to_owned)
    };
    assert_eq!(with("open-sesame-0123456789"), Some(closed.endpoint.clone()));
    assert_eq!(with("open-sesame-012345678"), None);
    assert_eq!(with(""), None);
}
