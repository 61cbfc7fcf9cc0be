use super::{OK, both, last};
use crate::rig::h2::{Act, Answer, Origin as Http2Origin};
use crate::rig::message::{Fields, Request};
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;

const REQUEST: &str = "match: { path: / }, name: app, upstream: web, request_headers: { \
     set: { X-Real-IP: \"{client}\", X-Asked: \"{scheme}://{host}{uri}\", X-Was: \"<{request.header.X-Was}>\", \
     X-Not: \"{request.header.X-Nowhere}\", X-All: \"{method} {path} {query} {id} {route} {upstream} {node} {listener} {{}}\" }, \
     append: { X-More: two }, remove: [ Cookie, X-Secret ] }";

const ASKED: [(&str, &str); 6] = [
    ("X-Real-IP", "6.6.6.6"),
    ("X-Was", "a\tb"),
    ("X-Not", "theirs"),
    ("X-More", "one"),
    ("Cookie", "a=1"),
    ("X-Secret", "s"),
];

fn edited(told: &Told, seen: &Fields, listener: &str) {
    assert_eq!(told.status(), 200, "{:#}", told.record);
    assert_eq!(seen.all("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(seen.all("x-asked"), ["http://app.test/a%0d%0aX:%20y?q=1"]);
    assert_eq!(seen.all("x-was"), ["<a\tb>"]);
    assert_eq!(seen.all("x-not"), [""; 0], "what comes out empty is left out");
    assert_eq!(seen.all("x-more").join(","), "one,two");
    assert_eq!((seen.text("cookie"), seen.text("x-secret")), (None, None));
    let id = told.text("id");
    let all = format!("GET /a%0d%0aX:%20y q=1 {id} app web edge.test {listener} {{}}");
    assert_eq!(seen.all("x-all"), [all]);
}

fn requests(proxy: &Proxy, seen: impl Fn() -> Vec<Request>) {
    let listener = proxy.address().to_string();
    let told = both(proxy, "GET", "/a%0d%0aX:%20y?q=1", &ASKED);
    for (told, seen) in told.iter().zip(last(seen())) {
        edited(told, &seen.fields, &listener);
    }
}

#[test]
fn the_origin_gets_the_fields_that_the_route_says() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).route(REQUEST).h2c().start();
    requests(&proxy, || origin.requests());
}

#[test]
fn so_it_does_over_http2() {
    let origin = Http2Origin::plain(|_, _| Act::Answer(Answer::new(200, "ok")));
    let settings = Settings::endpoints(&[&origin.endpoint]).having("protocol: h2c");
    let proxy = settings.passing(origin.journal()).route(REQUEST).h2c().start();
    requests(&proxy, || origin.requests());
}

const RESPONSE: &str = "upstream: web, response_headers: { \
     set: { X-Frame-Options: DENY, X-Status: \"{status}\", X-Id: \"{id}\", Content-Type: text/x }, \
     append: { Vary: Origin, X-Kept: two }, remove: [ Server ] }, limits: { request_body: 1KiB }";

/// Answers with the status that the path asks for.
const ORIGIN: &str = "Server: theirs\r\nX-Frame-Options: SAMEORIGIN\r\nX-Kept: one\r\n\
     Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn the_client_gets_the_fields_that_the_route_says() {
    let origin = Origin::serving(|request| {
        let status = &request.target[1..];
        format!("HTTP/1.1 {status} Some Reason\r\n{ORIGIN}").into_bytes()
    });
    let proxy = Settings::endpoints(&[&origin.endpoint]).route(RESPONSE).h2c().start();
    for status in ["200", "404", "503"] {
        for told in both(&proxy, "GET", &format!("/{status}"), &[]) {
            let fields = &told.answer().fields;
            assert_eq!(
                (told.answer().text().as_str(), told.status().to_string().as_str()),
                ("ok", status)
            );
            assert_eq!(fields.all("x-frame-options"), ["DENY"]);
            assert_eq!(fields.all("x-status"), [status]);
            assert_eq!(fields.all("x-id"), [told.text("id")]);
            assert_eq!(fields.all("content-type"), ["text/x"]);
            assert_eq!(fields.all("x-kept").join(","), "one,two");
            assert_eq!(fields.text("server"), None);
        }
    }
}

#[test]
fn an_error_of_our_own_gets_them_too_and_keeps_what_it_says_itself() {
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint]).once().route(RESPONSE).h2c().start();
    for told in both(&proxy, "GET", "/", &[]) {
        assert_eq!((told.status(), told.text("cause")), (502, "connect_refused"));
        let fields = &told.answer().fields;
        assert_eq!(fields.all("x-frame-options"), ["DENY"]);
        assert_eq!(fields.all("x-status"), ["502"]);
        assert_eq!(fields.all("content-type"), ["text/plain; charset=utf-8"]);
        assert_eq!(fields.all("vary").join(","), "Accept,Origin");
    }
    // What is refused before anything is tried as well.
    let told = proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5000\r\n\r\n");
    assert_eq!(told.text("cause"), "client_body_too_large");
    assert_eq!(told.answer().fields.all("x-status"), ["413"]);
}

#[test]
fn so_does_the_answer_to_a_request_that_is_given_up() {
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.hold();
    });
    let proxy = Settings::endpoints(&[&origin.endpoint])
        .once()
        .with("timeouts", "response: 200ms")
        .route(RESPONSE)
        .h2c()
        .start();
    for told in both(&proxy, "GET", "/", &[]) {
        assert_eq!((told.status(), told.text("cause")), (504, "response_deadline"));
        assert_eq!(told.answer().fields.all("x-frame-options"), ["DENY"]);
        assert_eq!(told.answer().fields.all("x-status"), ["504"]);
    }
}

#[test]
fn an_answer_before_the_answer_stays_as_it_is() {
    let origin = Origin::answering(format!(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n{ORIGIN}"
    ));
    let proxy = Settings::endpoints(&[&origin.endpoint]).route(RESPONSE).start();
    let told = proxy.get("/");
    let [(103, hints)] = &told.answer().interim[..] else { panic!("{:?}", told.answer()) };
    assert_eq!(hints.text("x-frame-options"), None);
    assert_eq!(told.answer().fields.all("x-frame-options"), ["DENY"]);
}
