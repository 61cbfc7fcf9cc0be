//! Who may come in, how often, and how many at a time.

mod room;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use crate::rig::h2client::{Http2, get, request};
use crate::rig::message::Response;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::{Process, Proxy};
use crate::rig::settings::Settings;
use crate::rig::{PATIENCE, until};

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A request from this client, as a proxy in front tells of it.
fn from(proxy: &Proxy, client: &str, path: &str) -> Told {
    let fields = format!("Host: app.test\r\nX-Forwarded-For: {client}\r\n");
    proxy.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n"))
}

/// The same over HTTP/2.
fn from2(proxy: &Proxy, client: &str, path: &str) -> Told {
    let connection = Http2::connect(proxy.address());
    proxy.exchange(|| {
        let request = request("GET", path).header("x-forwarded-for", client).body(());
        connection.ask(request.expect("a good request"))
    })
}

fn denied(told: &Told, setting: &str, rule: &str) {
    assert_eq!(told.text("cause"), "denied_by_policy", "{:#}", told.record);
    assert_eq!((told.status(), told.text("evidence.setting")), (403, setting));
    assert_eq!(told.text("evidence.rule"), rule);
}

fn limited(told: &Told, setting: &str) {
    assert_eq!(told.text("cause"), "rate_limited", "{:#}", told.record);
    assert_eq!((told.status(), told.text("evidence.setting")), (429, setting));
}

#[test]
fn clients_are_let_in_by_their_real_address() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .h2c()
        .with("access", "allow: [ private, \"203.0.113.0/24\", \"2001:db8::/32\" ]")
        .with("access", "deny: [ \"203.0.113.66\", \"10.6.0.0/16\" ]")
        .start();
    for ask in [from, from2] {
        for client in ["127.0.0.1", "203.0.113.9", "::ffff:203.0.113.9", "[2001:db8::1]:99"] {
            assert_eq!(ask(&proxy, client, "/").status(), 200, "{client}");
        }
        for client in ["203.0.113.66", "::ffff:203.0.113.66"] {
            denied(&ask(&proxy, client, "/"), "access.deny[0]", "deny 203.0.113.66/32");
        }
        denied(&ask(&proxy, "10.6.7.8, 10.0.0.1", "/"), "access.deny[1]", "deny 10.6.0.0/16");
        let none = "the client is in none of the networks that are allowed";
        denied(&ask(&proxy, "198.51.100.7", "/"), "access.allow", none);
        // What stands before the client in the field was written by the client.
        denied(&ask(&proxy, "203.0.113.9, 198.51.100.7", "/"), "access.allow", none);
    }
}

#[test]
fn a_stranger_is_let_in_by_no_field() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .with("forwarded", "trusted: []")
        .with("access", "deny: [ private ]")
        .start();
    denied(&from(&proxy, "203.0.113.9", "/"), "access.deny[0]", "deny private");
    assert!(origin.requests().is_empty());
}

#[test]
fn a_route_has_lists_of_its_own() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .with("access", "deny: [ \"203.0.113.66\" ]")
        .route("match: { path: /staff/ }, upstream: web, access: { allow: [ private ] }")
        .route("match: { path: /closed/ }, upstream: web, access: { deny: [ all ] }")
        .route("match: { path: /open/ }, upstream: web, access: { deny: [] }")
        .route("upstream: web")
        .start();
    for (client, path, place) in [
        ("198.51.100.7", "/", None),
        ("203.0.113.66", "/", Some("access.deny[0]")),
        ("203.0.113.66", "/open/", None),
        ("203.0.113.66", "/staff/", Some("access.deny[0]")),
        ("198.51.100.7", "/staff/", Some("routes[0].access.allow")),
        ("10.0.0.1", "/staff/", None),
        ("10.0.0.1", "/closed/", Some("routes[1].access.deny[0]")),
    ] {
        let told = from(&proxy, client, path);
        let setting = told.value("evidence").get("setting").and_then(|v| v.as_str());
        assert_eq!(setting, place, "{client} {path}");
        assert_eq!(told.status(), if place.is_some() { 403 } else { 200 });
    }
}

/// Two an hour for each client, on a listener for both versions.
fn two(origin: &Origin) -> Settings {
    Settings::to(origin)
        .h2c()
        .with("reload", "watch: false")
        .route("upstream: web, rate: { requests: 2, per: 1h }")
}

#[test]
fn each_client_has_what_is_allowed_and_is_told_when_to_come_again() {
    let origin = Origin::answering(OK);
    let proxy = two(&origin).start();
    for client in ["198.51.100.7", "198.51.100.8", "2001:db8::1"] {
        assert_eq!(from(&proxy, client, "/").status(), 200);
        assert_eq!(from2(&proxy, client, "/").status(), 200);
        for ask in [from, from2] {
            let told = ask(&proxy, client, "/");
            limited(&told, "routes[0].rate");
            let wait = told.answer().fields.text("retry-after").expect("it is known when");
            assert!((1_790..=1_800).contains(&wait.parse::<u64>().expect("seconds")), "{wait}");
            assert_eq!(told.text("evidence.counted_by"), "client");
            assert_eq!(told.value("evidence.max_count"), 2);
        }
    }
    limited(&from(&proxy, "2001:db8::ffff", "/"), "routes[0].rate");
    assert_eq!(from(&proxy, "2001:db8:0:1::1", "/").status(), 200);
    assert_eq!(origin.requests().len(), 7);
}

#[test]
fn what_was_used_up_comes_back() {
    let origin = Origin::answering(OK);
    let rate = "rate: { requests: 1, per: 300ms, by: route }";
    let proxy = Settings::to(&origin).route(&format!("upstream: web, {rate}")).start();
    assert_eq!(proxy.get("/").status(), 200);
    until("another one", || (proxy.get("/").status() == 200).then_some(()));
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn the_value_of_a_field_is_counted_and_never_told() {
    let origin = Origin::answering(OK);
    let rate = "rate: [ { requests: 9, per: 1h }, { requests: 1, per: 1h, by: header X-Api-Key } ]";
    let proxy = Settings::to(&origin).route(&format!("upstream: web, {rate}")).start();
    let with = |key: &str| {
        let fields = format!("Host: app.test\r\nX-Api-Key: {key}\r\n");
        proxy.send(format!("GET / HTTP/1.1\r\n{fields}\r\n"))
    };
    assert_eq!(with("s3cret-one").status(), 200);
    assert_eq!(with("s3cret-two").status(), 200);
    for _ in 0..12 {
        let told = with("s3cret-one");
        limited(&told, "routes[0].rate[1]");
        assert_eq!(told.text("evidence.counted_by"), "header x-api-key");
        let shown = format!("{} {:?}", told.record, told.answer());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    assert_eq!(proxy.get("/").status(), 200, "no refusal was counted by the other rate");
}

/// Puts these settings into force.
fn reload(proxy: &mut Proxy, settings: &Settings, turn: usize) {
    proxy.rewrite(settings);
    proxy.process().signal(Signal::HUP);
    until("the change", || {
        (proxy.said().matches("configuration reloaded").count() == turn).then_some(())
    });
}

#[test]
fn a_rate_that_did_not_change_is_counted_on_after_a_reload() {
    let origin = Origin::answering(OK);
    let before = two(&origin);
    let mut proxy = before.clone().start();
    for _ in 0..2 {
        assert_eq!(proxy.get("/").status(), 200);
    }
    reload(&mut proxy, &before.with("timeouts", "read: 59s"), 1);
    limited(&proxy.get("/"), "routes[0].rate");
    let more = Settings::to(&origin)
        .h2c()
        .with("reload", "watch: false")
        .route("upstream: web, rate: { requests: 3, per: 1h }");
    reload(&mut proxy, &more, 2);
    assert_eq!(proxy.get("/").status(), 200, "another rate counts anew");
}

#[test]
fn who_is_not_let_in_uses_up_nothing() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .route("upstream: web, access: { deny: [ \"198.51.100.7\" ] }, rate: { requests: 1, per: 1h, by: route }")
        .start();
    for _ in 0..3 {
        denied(
            &from(&proxy, "198.51.100.7", "/"),
            "routes[0].access.deny[0]",
            "deny 198.51.100.7/32",
        );
    }
    assert_eq!(proxy.get("/").status(), 200);
    limited(&proxy.get("/"), "routes[0].rate");
}

#[test]
fn alibabas_clients_read_a_rate_limit_as_they_know_it() {
    let origin = Origin::answering(OK);
    let rate = "rate: { requests: 1, per: 1h, by: route }";
    let proxy = Settings::to(&origin)
        .h2c()
        .with("diagnosis", "statuses: alibaba")
        .route(&format!("upstream: web, {rate}"))
        .start();
    assert_eq!(proxy.get("/").status(), 200);
    let connection = Http2::connect(proxy.address());
    let asks: [&dyn Fn() -> Option<Response>; 2] = [
        &|| {
            let mut client = proxy.connect();
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            client.receive("GET")
        },
        &|| connection.ask(get("/")),
    ];
    for ask in asks {
        let told = proxy.exchange(ask);
        assert_eq!((told.text("cause"), told.status()), ("rate_limited", 503));
        assert_eq!(told.answer().fields.text("alb-qps-limited").as_deref(), Some("Limited"));
        assert!(told.answer().fields.text("retry-after").is_some());
    }
}

#[test]
fn who_asks_through_a_unix_socket_is_near() {
    let origin = Origin::answering(OK);
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("in.sock");
    let yaml = format!(
        "listeners: [ {{ address: \"unix:{}\" }} ]\nadmin: {{ address: null }}\n\
         access: {{ allow: [ private ] }}\nroutes:\n  - {{ upstream: web }}\n  \
         - {{ match: {{ path: /far/ }}, upstream: web, access: {{ deny: [ private ] }} }}\n\
         upstreams: {{ web: {{ endpoints: [ \"{}\" ] }} }}\n",
        socket.display(),
        origin.endpoint
    );
    let config = folder.path().join("whodunit.yaml");
    std::fs::write(&config, yaml).expect("the folder is ours");
    let mut process = Process::start(&["run", "--config", config.to_str().expect("text")]);
    process.says("ready", 0);
    for (path, status) in [("/", "HTTP/1.1 200 OK"), ("/far/", "HTTP/1.1 403 Forbidden")] {
        let mut client = UnixStream::connect(&socket).expect("it listens");
        client.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let head = format!("GET {path} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
        client.write_all(head.as_bytes()).expect("it is taken");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with(status), "{path}: {answer}");
    }
}

/// Whoever is not let in learns nothing else either: not that a route is out of service, nor where
/// it leads.
#[test]
fn who_is_refused_sees_nothing_of_the_route() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .h2c()
        .with("access", "deny: [203.0.113.9]")
        .route(
            "match: { path: /closed }, upstream: web, maintenance: true, \
             rate: { requests: 3, per: 1h }",
        )
        .route("match: { path: /there }, redirect: { to: \"https://other.test/\" }")
        .route("match: { path: /said }, respond: { status: 200, body: secret }")
        .route("upstream: web")
        .start();
    for path in ["/closed", "/there", "/said", "/"] {
        for told in [from(&proxy, "203.0.113.9", path), from2(&proxy, "203.0.113.9", path)] {
            denied(&told, "access.deny[0]", "deny 203.0.113.9/32");
        }
    }
    for _ in 0..3 {
        let told = from(&proxy, "198.51.100.7", "/closed");
        assert_eq!((told.status(), told.text("cause")), (503, "maintenance"));
    }
    limited(&from(&proxy, "198.51.100.7", "/closed"), "routes[0].rate");
    assert_eq!(origin.connections(), 0);
}
