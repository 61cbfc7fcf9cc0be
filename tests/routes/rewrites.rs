use super::{OK, both, last};
use crate::rig::h2::{Act, Answer, Origin as Http2Origin};
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

/// Routes that rewrite, each of them to this upstream.
fn rewriting(settings: Settings) -> Settings {
    settings
        .route("match: { path: /api/ }, rewrite: { prefix: /v2 }, upstream: web")
        .route(
            "match: { path_regex: \"^/u/([0-9]+)(/.*)?$\" }, \
             rewrite: { to: \"/users$2/$1\" }, upstream: web",
        )
        .route("match: { path: /lit/ }, rewrite: { host: Inner.test:81 }, upstream: web")
        .route("match: { path: /own/ }, rewrite: { prefix: /, host: upstream }, upstream: web")
        .route("match: { path: /pass }, rewrite: { regex: b$, to: /c }, upstream: web")
        .route("match: { path: /gone }, rewrite: { regex: \"^/gone\", to: \"\" }, upstream: web")
        .h2c()
}

/// What is asked for, what the origin is asked for, and its host: `None` for its own.
const CASES: [(&str, &str, Option<&str>); 17] = [
    ("/api/x?a=1&b=/api/", "/v2/x?a=1&b=/api/", Some("app.test")),
    ("/api/", "/v2", Some("app.test")),
    ("/api/%2c%C3%A9?", "/v2/%2c%C3%A9?", Some("app.test")),
    // What follows a prefix stays as it was sent, if nothing in it leads upwards.
    ("/api//a//./b%2Fc;d?..", "/v2/a//./b%2Fc;d?..", Some("app.test")),
    ("/api/a/%2e%2e/b%7e/c/..?/", "/v2/b~/?/", Some("app.test")),
    ("/api/../api/x", "/v2/x", Some("app.test")),
    ("/api/..//api/x/%2E%2E", "/v2", Some("app.test")),
    ("//api/.//x", "/v2/x", Some("app.test")),
    ("/%61pi/x%20y", "/v2/x%20y", Some("app.test")),
    // A pattern replaces what it fits in the normal form; where it fits nothing, nothing changes.
    ("//u/%37", "/users/7", Some("app.test")),
    ("/u/7/%61//b/../c?x", "/users/a/c/7?x", Some("app.test")),
    ("/pass//%61/../x?b", "/pass//%61/../x?b", Some("app.test")),
    ("/u/7", "/users/7", Some("app.test")),
    ("/u/7/a?x", "/users/a/7?x", Some("app.test")),
    ("/lit/x", "/lit/x", Some("inner.test:81")),
    ("/own/x", "/x", None),
    ("/gone?x", "/?x", Some("app.test")),
];

fn recorded(told: &Told, path: &str) {
    assert_eq!(told.status(), 200, "{:#}", told.record);
    assert_eq!((told.text("path"), told.text("host")), (path, "app.test"));
}

#[test]
fn the_origin_is_asked_for_something_else_than_the_client_asked_for() {
    let origin = Origin::answering(OK);
    let proxy = rewriting(Settings::to(&origin)).start();
    for (path, target, host) in CASES {
        let told = both(&proxy, "GET", path, &[]);
        for (told, seen) in told.iter().zip(last(origin.requests())) {
            recorded(told, path);
            assert_eq!(seen.target, target, "{path}");
            let host = host.unwrap_or(&origin.endpoint);
            assert_eq!(seen.fields.all("host"), [host], "{path}");
            // Whoever wants to know what the client asked for is told.
            let asked = seen.fields.text("x-forwarded-host");
            assert_eq!(asked.as_deref(), Some("app.test"), "{path}");
        }
    }
}

#[test]
fn so_it_is_over_http2() {
    let origin = Http2Origin::plain(|_, _| Act::Answer(Answer::new(200, "ok")));
    let settings = Settings::endpoints(&[&origin.endpoint]).having("protocol: h2c");
    let proxy = rewriting(settings.passing(origin.journal())).start();
    for (path, target, host) in CASES {
        let told = both(&proxy, "GET", path, &[]);
        for (told, seen) in told.iter().zip(last(origin.requests())) {
            recorded(told, path);
            assert_eq!(seen.target, target, "{path}");
            let host = host.unwrap_or(&origin.endpoint);
            assert_eq!(seen.fields.all("host"), [host], "{path}");
        }
    }
}

#[test]
fn a_target_with_a_host_keeps_it() {
    let origin = Origin::answering(OK);
    let proxy = rewriting(Settings::to(&origin)).start();
    let told = proxy.send("GET http://app.test/api/x?y HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(told.status(), 200, "{:#}", told.record);
    let seen = origin.requests().pop().expect("it was asked");
    assert_eq!(
        (seen.target.as_str(), seen.fields.all("host")),
        ("/v2/x?y", vec!["app.test".into()])
    );
}

#[test]
fn a_path_that_comes_out_too_long_is_the_configurations_fault() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .with("limits", "request_uri: 60KiB, request_header: 64KiB")
        .route("match: { path_regex: \"^/(.*)$\" }, rewrite: { to: \"/$1/$1\" }, upstream: web")
        .start();
    let told = proxy.get(&format!("/{}", "x".repeat(50_000)));
    assert_eq!(told.text("cause"), "proxy_config_invalid", "{:#}", told.record);
    assert_eq!(told.text("evidence.setting"), "routes[0].rewrite");
    assert_eq!(proxy.get("/a").status(), 200);
    assert_eq!(origin.requests().pop().expect("it was asked").target, "/a/a");
}
