//! `diagnosis.statuses` and `diagnosis.disclosure`: which status tells which cause, and to whom how
//! much is told.

use crate::rig::h2client::{Http2, get};
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;

/// A proxy with these statuses, at which everything goes wrong: each path in another way.
fn broken(statuses: &str) -> (Proxy, [Origin; 2], Refusing) {
    let silent = Origin::new(|mut connection| {
        connection.request();
        connection.hold();
    });
    let nonsense = Origin::new(|mut connection| {
        connection.request();
        connection.send("no HTTP at all\r\n\r\n");
        connection.close();
    });
    let closed = Refusing::new();
    let proxy = Settings::bare()
        .h2c()
        .with("diagnosis", &format!("statuses: {statuses}"))
        .with("timeouts", "read: 200ms")
        .upstream("silent", &[&silent.endpoint])
        .once()
        .upstream("nonsense", &[&nonsense.endpoint])
        .once()
        .upstream("closed", &[&closed.endpoint])
        .once()
        .route("match: { path: /silent }, upstream: silent")
        .route("match: { path: /nonsense }, upstream: nonsense")
        .route("match: { path: /closed }, upstream: closed")
        .route("match: { path: /denied }, upstream: closed, access: { deny: [ all ] }")
        .start();
    (proxy, [silent, nonsense], closed)
}

/// What is answered on both versions, which has to be the same.
fn status(proxy: &Proxy, path: &str) -> (u16, String) {
    let connection = Http2::connect(proxy.address());
    let told = [proxy.get(path), proxy.exchange(|| connection.ask(get(path)))];
    let [one, two] = told.map(|told| (told.status(), told.text("cause").to_owned()));
    assert_eq!(one, two, "{path}");
    one
}

/// A request that has passed too many stations.
fn looping(proxy: &Proxy) -> Told {
    let trace = vec!["cdn"; 20].join(", ");
    proxy.send(format!("GET /closed HTTP/1.1\r\nHost: app.test\r\nCDN-Loop: {trace}\r\n\r\n"))
}

#[test]
fn each_dialect_speaks_on_the_wire_as_it_should() {
    for (statuses, refused, slow, malformed, no_route, loops) in [
        ("standard", 502, 504, 502, 404, 508),
        ("rfc9209", 502, 504, 502, 500, 502),
        ("cloudflare", 521, 524, 520, 404, 530),
        ("alibaba", 502, 504, 502, 404, 463),
        (
            "{ dialect: cloudflare, causes: { connect_refused: 599, denied_by_policy: 404, loop_detected: 400 } }",
            599,
            524,
            520,
            404,
            400,
        ),
    ] {
        let (proxy, _origins, _closed) = broken(statuses);
        for (path, code, cause) in [
            ("/closed", refused, "connect_refused"),
            ("/silent", slow, "origin_slow"),
            ("/nonsense", malformed, "response_malformed"),
            ("/nowhere", no_route, "no_route"),
        ] {
            assert_eq!(status(&proxy, path), (code, cause.to_owned()), "{statuses}");
        }
        let told = looping(&proxy);
        assert_eq!((told.status(), told.text("cause")), (loops, "loop_detected"), "{statuses}");
        let denied = if statuses.contains("denied") { 404 } else { 403 };
        assert_eq!(status(&proxy, "/denied"), (denied, "denied_by_policy".to_owned()));
    }
}

/// A failed request of this client, as a proxy in front tells of it, with this field besides.
fn told(proxy: &Proxy, client: &str, field: &str) -> Told {
    let fields = format!("Host: app.test\r\nX-Forwarded-For: {client}\r\n{field}");
    proxy.send(format!("GET / HTTP/1.1\r\n{fields}\r\n"))
}

#[test]
fn who_is_told_how_much() {
    const TOKEN: &str = "debug_token: \"correct horse battery\"";
    const SHOWN: &str = "Whodunit-Debug: correct horse battery\r\n";
    for (disclosure, near, far, presented, wrong) in [
        ("auto", true, false, true, false),
        ("full", true, true, true, true),
        ("minimal", false, false, true, false),
    ] {
        let closed = Refusing::new();
        let proxy = Settings::endpoints(&[&closed.endpoint])
            .once()
            .with("diagnosis", TOKEN)
            .with("diagnosis", &format!("disclosure:  {disclosure}"))
            .start();
        for (client, field, full) in [
            ("10.0.0.1", "", near),
            ("203.0.113.9", "", far),
            ("203.0.113.9", SHOWN, presented),
            ("203.0.113.9", "Whodunit-Debug: correct horse batter\r\n", wrong),
        ] {
            let told = told(&proxy, client, field);
            let answer = format!("{:?} {}", told.answer().fields, told.answer().text());
            assert_eq!(answer.contains(&closed.endpoint), full, "{disclosure} {client} {field}");
            assert_eq!(told.member.expect("a member").param("details").is_some(), full);
            assert_eq!(told.record["evidence"]["errno"], "ECONNREFUSED", "the log is always full");
        }
    }
}
