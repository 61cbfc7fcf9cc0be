//! What a verdict says of other requests: on real sockets, and the same in header, body and record.

mod checks;
mod idle;
mod limits;

use serde_json::Value;

use crate::rig::dns::{Answer, Dns};
use crate::rig::net::{Refusing, SILENT, apart};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
pub(crate) const POST: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi";

/// What is told of the scope, the same everywhere.
fn scope(told: &Told) -> &str {
    let member = told.member.as_ref().expect("an error carries a verdict");
    assert_eq!(member.param("scope"), told.value("scope").as_str(), "{:#}", told.record);
    assert_eq!(told.value("scope"), told.value("evidence.scope"), "{:#}", told.record);
    if told.record["generated"] == true {
        let body = told.answer().text();
        assert!(body.contains(told.text("says")), "{} is not in {body}", told.text("says"));
    }
    told.text("scope")
}

/// What the admin listener knows of this address.
pub(crate) fn address(proxy: &Proxy, endpoint: &str) -> Value {
    let all: Value = serde_json::from_str(&proxy.ask("/api/v1/upstreams").text()).expect("JSON");
    let addresses = all["addresses"].as_array().expect("a list").clone();
    let found = addresses.into_iter().find(|address| address["address"] == endpoint);
    found.unwrap_or_else(|| panic!("no {endpoint} in {all:#}"))
}

/// An origin that answers, but for requests whose path begins with `/bad`: after those it closes.
fn picky() -> Origin {
    Origin::new(|mut connection: Conversation| {
        while let Some(request) = connection.request() {
            if request.target.starts_with("/bad") {
                return connection.close();
            }
            connection.send(OK);
        }
    })
}

#[test]
fn the_first_failure_is_told_from_one_of_many() {
    let origin = picky();
    let proxy = Settings::to(&origin).once().start();
    let told = proxy.get("/bad");
    assert_eq!(scope(&told), "first");
    assert!(!told.text("says").contains("5 min"), "nobody else was there: {}", told.text("says"));
    proxy.get("/good");
    let told = proxy.get("/bad");
    assert_eq!(scope(&told), "some");
    let said = "In the last 5 min, 2 of 3 requests there failed.";
    assert!(told.text("says").ends_with(said), "{}", told.text("says"));
    assert_eq!(told.value("evidence.failed_lately"), 2);
    assert_eq!(told.value("evidence.answered_lately"), 1);
}

#[test]
fn one_endpoint_that_fails_stands_against_the_others() {
    let (closed, origin) = (Refusing::new(), Origin::answering(OK));
    let proxy =
        Settings::endpoints(&[&closed.endpoint, &origin.endpoint]).knowing(&origin).once().start();
    let failed: Vec<Told> =
        (0..6).map(|_| proxy.get("/")).filter(|told| told.status() == 502).collect();
    let [first, second, third] = failed.as_slice() else { panic!("they take turns") };
    assert_eq!(scope(first), "first");
    assert_eq!(scope(second), "", "two are too few to tell");
    assert!(second.value("scope").is_null());
    assert_eq!(scope(third), "all");
    let says = third.text("says");
    assert!(says.contains("Every request there has failed since "), "{says}");
    assert!(says.ends_with("3 in a row; 1 of 2 endpoints fails, 1 answers."), "{says}");
    for (key, value) in
        [("endpoints_failing", 1), ("endpoints_answering", 1), ("endpoints_total", 2)]
    {
        assert_eq!(third.value(&format!("evidence.{key}")), value, "{key}");
    }
    let since = third.text("evidence.since");
    assert!(since >= first.text("ts") && since <= third.text("ts"), "{since}");
    let known = address(&proxy, &closed.endpoint);
    assert_eq!(known["health"], "failing", "{known:#}");
    assert_eq!(known["last_failures"][2]["cause"], "connect_refused", "{known:#}");
    assert_eq!(known["upstreams"][0], "web", "{known:#}");
    assert_eq!(address(&proxy, &origin.endpoint)["health"], "answering");
}

#[test]
fn the_kernels_refusals_at_every_endpoint_are_told_as_such() {
    let closed = [Refusing::new(), Refusing::new()];
    let endpoints = [closed[0].endpoint.as_str(), closed[1].endpoint.as_str()];
    let proxy = Settings::endpoints(&endpoints).having("retries: { attempts: 2 }").start();
    let told = (0..3).map(|_| proxy.get("/")).last().expect("there were three");
    assert_eq!(scope(&told), "all");
    assert!(told.text("says").ends_with("; all 2 endpoints fail."), "{}", told.text("says"));
}

#[test]
fn errors_of_the_origins_own_are_counted_as_well() {
    let origin = Origin::answering("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno");
    let proxy = Settings::to(&origin).start();
    let scopes: Vec<String> = (0..3).map(|_| scope(&proxy.get("/")).to_owned()).collect();
    assert_eq!(scopes, ["first", "", "all"]);
}

#[test]
fn an_answer_that_breaks_off_is_no_good_one() {
    let origin = Origin::new(|mut connection| {
        if connection.request().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            connection.close();
        }
    });
    let proxy = Settings::to(&origin).once().start();
    let told: Vec<Told> = (0..3).map(|_| proxy.get("/")).collect();
    assert_eq!(told[2].text("cause"), "response_truncated");
    assert_eq!(told[2].text("scope"), "all", "{:#}", told[2].record);
}

#[test]
fn clients_that_leave_and_requests_that_are_refused_say_nothing_of_the_origin() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "request_body: 1KiB").start();
    for _ in 0..4 {
        let told = proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4000\r\n\r\n");
        assert_eq!(told.text("cause"), "client_body_too_large");
        assert!(told.value("scope").is_null(), "{:#}", told.record);
    }
    proxy.get("/");
    assert_eq!(address(&proxy, &origin.endpoint)["failed_lately"], 0);
}

#[test]
fn a_name_that_fails_is_told_of_the_upstream() {
    let dns = Dns::new();
    dns.set("api.test", Answer::Rcode(2));
    let proxy = Settings::endpoints(&["api.test:8080"])
        .with("resolver", &format!("servers: [ \"{}\" ], timeout: 200ms, attempts: 1", dns.address))
        .once()
        .start();
    let told: Vec<Told> = (0..3).map(|_| proxy.get("/")).collect();
    assert_eq!(scope(&told[0]), "first");
    assert_eq!(scope(&told[2]), "all");
    let says = told[2].text("says");
    assert!(says.contains("Every request to upstream `web` has failed since "), "{says}");
}

#[test]
fn silence_is_proved_by_other_silence() {
    apart("witnesses::silence_is_proved_by_other_silence", || {
        // Long enough for the first packet to be sent again.
        let proxy = Settings::endpoints(&[SILENT]).with("timeouts", "connect: 2s").once().start();
        let told = [proxy.get("/"), proxy.get("/")];
        assert_eq!(told[0].text("certainty"), "likely", "{:#}", told[0].record);
        assert_eq!(told[0].value("missing.0"), "silent_lately", "{:#}", told[0].record);
        assert_eq!(told[1].text("certainty"), "proved", "{:#}", told[1].record);
        assert_eq!(told[1].value("evidence.silent_lately"), 1, "{:#}", told[1].record);
    });
}

#[test]
fn a_stranger_is_told_nothing_of_it() {
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint]).once().discreet().start();
    let told = (0..4).map(|_| proxy.get("/")).last().expect("there were four");
    assert_eq!(told.text("scope"), "all", "the log is always full");
    assert!(told.text("says").contains("in a row"), "{}", told.text("says"));
    assert!(!told.answer().text().contains("in a row"), "{}", told.answer().text());
}

#[test]
fn only_reused_connections() {
    // The second request of a connection ends it.
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.send(OK);
        connection.request();
        connection.close();
    });
    let proxy = Settings::to(&origin).once().start();
    let lose = || {
        assert_eq!(proxy.get("/").status(), 200);
        let told = proxy.send(POST);
        assert_eq!(told.text("cause"), "origin_closed");
        told
    };
    let told: Vec<Told> = (0..7).map(|_| lose()).collect();
    assert!(told[5].value("evidence.pattern").is_null(), "by chance, 1 in 924");
    assert_eq!(told[6].value("evidence.pattern.0"), "only reused connections", "1 in 3,432");
    assert_eq!(scope(&told[6]), "some");
    let said = "7 of 14 requests there failed: only reused connections.";
    assert!(told[6].text("says").ends_with(said), "{}", told[6].text("says"));
}

#[test]
fn only_requests_over_a_size() {
    let origin = Origin::new(|mut connection| {
        while let Some(request) = connection.request() {
            if request.body.len() > 1_000 {
                return connection.close();
            }
            connection.send(OK);
        }
    });
    let proxy = Settings::to(&origin).once().start();
    let post = |length: usize| {
        let body = "x".repeat(length);
        proxy.send(format!(
            "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    };
    for length in 0..17 {
        assert_eq!(post(length).status(), 200);
    }
    let largest = post(900);
    assert_eq!(largest.status(), 200);
    let told: Vec<Told> = (0..3).map(|_| post(5_000)).collect();
    assert!(told[1].value("evidence.pattern").is_null(), "two are too few");
    let size = largest.value("bytes.client_in");
    let pattern = format!("only requests over {size} bytes");
    assert_eq!(told[2].value("evidence.pattern.0"), pattern.as_str());
    assert_eq!(scope(&told[2]), "some", "smaller ones may still go well");
}
