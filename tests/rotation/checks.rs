//! Checks at intervals: what they find takes an endpoint out, and brings it back.

use std::sync::atomic::Ordering;

use serde_json::Value;

use super::{OFTEN, OK, ailing, apart, attempts, becomes, checked, metric, standing, well};
use crate::rig::certificates::{Authority, Says};
use crate::rig::dns::{Answer, Dns};
use crate::rig::h2::{self as framed, Act};
use crate::rig::net::Refusing;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;
use crate::rig::until;

#[test]
fn an_endpoint_that_dies_is_out_until_it_is_back() {
    let (dying, other) = (well(apart(1)), Origin::answering(OK));
    let address = dying.endpoint.clone();
    let proxy = Settings::endpoints(&[&address, &other.endpoint])
        .having(&format!("health: {{ path: /healthz?deep=1, host: app.test, {OFTEN} }}"))
        .start();
    assert_eq!(metric(&proxy, &address), Some(true), "well until shown otherwise");
    checked(&proxy, &address);
    let asked = dying.requests();
    let check = asked.first().expect("it was asked");
    assert_eq!((check.method.as_str(), check.target.as_str()), ("GET", "/healthz?deep=1"));
    assert_eq!(check.fields.text("host").as_deref(), Some("app.test"));
    assert_eq!(check.fields.text("user-agent").as_deref(), Some("whodunit-check"));
    assert!(check.fields.text("cdn-loop").is_none(), "no request is forwarded: {check:?}");

    drop(dying);
    let out = becomes(&proxy, &address, "unhealthy");
    assert_eq!((&out["cause"], &out["status"]), (&"connect_refused".into(), &Value::Null));
    assert!(out["since"].is_string() && out["until"].is_null(), "{out:#}");
    assert_eq!(out["last_check"]["cause"], "connect_refused");
    assert_eq!(metric(&proxy, &address), Some(false));
    assert_eq!(metric(&proxy, &other.endpoint), Some(true));
    let said = format!(
        "endpoint {address} of upstream `web` is out of rotation: 3 checks in a row failed (connect_refused)"
    );
    until("that to be said", || proxy.said().contains(&said).then_some(()));
    for _ in 0..6 {
        let told = proxy.get("/");
        assert_eq!((told.status(), attempts(&told)), (200, 1), "{:#}", told.record);
        assert_eq!(told.text("next_hop"), other.endpoint);
    }
    assert_eq!(proxy.ask("/readyz").status, 200);

    let back = well(address.parse().expect("an address"));
    let standing = becomes(&proxy, &address, "in");
    assert_eq!(standing["last_check"]["passed"], true, "{standing:#}");
    assert!(standing["since"].as_str() > out["since"].as_str(), "{standing:#}");
    assert_eq!(metric(&proxy, &address), Some(true));
    until("it to be asked again", || (proxy.get("/").text("next_hop") == address).then_some(()));
    assert!(back.requests().iter().any(|request| request.target == "/"));
    let said = format!("endpoint {address} of upstream `web` is back in rotation: 2 checks");
    until("that to be said", || proxy.said().contains(&said).then_some(()));
}

#[test]
fn the_status_decides() {
    for (status, keys, state, cause) in [
        (204, "", "in", Value::Null),
        (302, "", "in", Value::Null),
        (404, "", "unhealthy", Value::Null),
        (404, ", expect: \"200, 400-404\"", "in", Value::Null),
        (200, ", expect: 204", "unhealthy", Value::Null),
        (503, "", "unhealthy", "origin_error".into()),
        (503, ", method: HEAD", "unhealthy", "origin_error".into()),
    ] {
        let (origin, answers) = ailing(status);
        let proxy = Settings::to(&origin)
            .having(&format!("health: {{ path: /healthz, {OFTEN}{keys} }}"))
            .start();
        let found = if state == "in" {
            checked(&proxy, &origin.endpoint);
            let standing = standing(&proxy, &origin.endpoint);
            assert_eq!(standing["last_check"]["passed"], true, "{status} {keys}: {standing:#}");
            standing
        } else {
            becomes(&proxy, &origin.endpoint, state)
        };
        assert_eq!((&found["state"], &found["cause"]), (&state.into(), &cause), "{found:#}");
        if state == "unhealthy" {
            assert_eq!(found["status"], status);
            let told = proxy.get("/");
            assert_eq!(told.text("cause"), "no_healthy_upstream");
            answers.store(if keys.contains("204") { 204 } else { 200 }, Ordering::SeqCst);
            becomes(&proxy, &origin.endpoint, "in");
        }
        assert_eq!(proxy.get("/").status(), 200);
        let head = keys.contains("HEAD");
        let checks = origin.requests().into_iter().filter(|r| r.target == "/healthz");
        assert!(checks.into_iter().all(|check| (check.method == "HEAD") == head));
    }
}

#[test]
fn the_origin_is_not_proved_guilty_of_what_this_proxy_is_set_to() {
    let plain = Origin::new(|mut connection: Conversation| {
        connection.fill();
        connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        connection.close();
    });
    let proxy = Settings::endpoints(&[&plain.endpoint])
        .having("tls: { verify: false, sni: app.test }")
        .having(&format!("health: {{ type: tls, {OFTEN} }}"))
        .start();
    becomes(&proxy, &plain.endpoint, "unhealthy");
    let told = proxy.get("/");
    assert_eq!(told.text("cause"), "no_healthy_upstream", "{:#}", told.record);
    assert!(told.text("says").contains("tls_peer_not_tls"), "{:#}", told.record);
    assert_eq!(
        (told.text("certainty"), told.value("missing")[0].as_str()),
        ("likely", Some("all_at_origin"))
    );
}

#[test]
fn when_nobody_is_left_each_is_named_with_what_took_it_out() {
    let (closed, (sick, _)) = (Refusing::new(), ailing(404));
    let drained = Origin::answering(OK);
    let endpoints = format!(
        "endpoints: [ \"{}\", \"{}\", {{ address: \"{}\", weight: 0 }} ]",
        closed.endpoint, sick.endpoint, drained.endpoint
    );
    let proxy = Settings::bare()
        .upstream_of("web", &endpoints)
        .having(&format!("health: {{ path: /healthz, {OFTEN} }}"))
        .start();
    becomes(&proxy, &closed.endpoint, "unhealthy");
    becomes(&proxy, &sick.endpoint, "unhealthy");
    let told = proxy.get("/");
    assert_eq!((told.status(), told.text("cause")), (503, "no_healthy_upstream"));
    assert_eq!(told.answer().fields.text("retry-after").as_deref(), Some("5"));
    let out = told.value("evidence.endpoints").as_array().expect("a list").clone();
    let starts = |index: usize, start: String| {
        assert!(out[index].as_str().is_some_and(|told| told.starts_with(&start)), "{out:?}");
    };
    assert_eq!(out.len(), 2, "who has no weight is not missing: {out:?}");
    starts(0, format!("{} (connect_refused, since 20", closed.endpoint));
    starts(1, format!("{} (status 404, since 20", sick.endpoint));
    let discreet = Settings::endpoints(&[&closed.endpoint])
        .having(&format!("health: {{ type: tcp, {OFTEN} }}"))
        .discreet()
        .start();
    becomes(&discreet, &closed.endpoint, "unhealthy");
    assert_eq!(discreet.get("/").text("cause"), "no_healthy_upstream");
    let told = checked(&proxy, &drained.endpoint);
    assert_eq!(told["passed"], true, "who has no weight is checked nevertheless");
    assert!(drained.requests().iter().all(|request| request.target == "/healthz"));
}

#[test]
fn who_is_out_stands_beside_the_failure_of_another() {
    let (closed, failing) = (Refusing::new(), Origin::new(Conversation::close));
    let proxy = Settings::endpoints(&[&closed.endpoint, &failing.endpoint])
        .having(&format!("health: {{ type: tcp, {OFTEN} }}"))
        .start();
    becomes(&proxy, &closed.endpoint, "unhealthy");
    let told = proxy.get("/");
    assert_eq!(told.text("cause"), "origin_closed");
    assert_eq!(attempts(&told), 1, "nobody else is left: {:#}", told.record);
    let out = told.text("evidence.out_of_rotation.0");
    assert!(out.starts_with(&format!("{} (connect_refused, since ", closed.endpoint)), "{out}");
    assert!(told.text("says").contains(" Out of rotation at the time: "), "{}", told.text("says"));
}

#[test]
fn a_handshake_that_fails_is_what_the_check_names() {
    let root = Authority::new("root");
    let says = || Says::names(&["app.test"]);
    let (good, bad) = (Tls::new(root.signs(&says())), Tls::new(root.signs(&says().expired())));
    let serving = |tls: &Tls| {
        Origin::tls(tls, |mut connection| {
            while connection.request().is_some() {
                connection.send(OK);
            }
        })
    };
    let (good, bad) = (serving(&good), serving(&bad));
    for kind in ["http", "tls"] {
        let tls = format!("tls: {{ sni: app.test, ca: \"{}\" }}", root.file().display());
        let proxy = Settings::endpoints(&[&good.endpoint, &bad.endpoint])
            .having(&format!("{tls}, health: {{ type: {kind}, {OFTEN} }}"))
            .start();
        let out = becomes(&proxy, &bad.endpoint, "unhealthy");
        assert_eq!(out["cause"], "tls_certificate_expired", "{out:#}");
        assert_eq!(checked(&proxy, &good.endpoint)["passed"], true);
        assert_eq!(proxy.get("/").text("next_hop"), good.endpoint);
    }
}

#[test]
fn a_check_by_tcp_says_nothing() {
    let (busy, _) = ailing(500);
    let proxy = Settings::to(&busy).having(&format!("health: {{ type: tcp, {OFTEN} }}")).start();
    for _ in 0..4 {
        assert_eq!(checked(&proxy, &busy.endpoint)["passed"], true);
    }
    until("it to accept them", || (busy.connections() >= 4).then_some(()));
    assert!(busy.requests().is_empty());
}

#[test]
fn a_check_speaks_http2_where_a_request_does() {
    let answer = |status| Act::Answer(framed::Answer::new(status, ""));
    let origin = framed::Origin::plain(move |request, _| match request.target.as_str() {
        "/healthz" => answer(500),
        _ => answer(200),
    });
    let proxy = Settings::endpoints(&[&origin.endpoint])
        .having(&format!("protocol: h2c, health: {{ path: /healthz, {OFTEN} }}"))
        .start();
    let out = becomes(&proxy, &origin.endpoint, "unhealthy");
    assert_eq!((&out["cause"], &out["status"]), (&"origin_error".into(), &500.into()));
}

#[test]
fn another_port_may_tell_how_an_endpoint_is() {
    let origin = Origin::answering(OK);
    let (sick, status) = ailing(503);
    let port = sick.endpoint.rsplit_once(':').expect("a port").1;
    let proxy = Settings::to(&origin)
        .having(&format!("health: {{ path: /healthz, port: {port}, {OFTEN} }}"))
        .start();
    becomes(&proxy, &origin.endpoint, "unhealthy");
    status.store(200, Ordering::SeqCst);
    becomes(&proxy, &origin.endpoint, "in");
    assert!(origin.requests().is_empty());
}

#[test]
fn each_address_of_a_name_is_checked() {
    let origin = well(apart(2));
    let (address, port) = origin.endpoint.rsplit_once(':').expect("a port");
    let dead = format!("127.0.77.3:{port}");
    let dns = Dns::new();
    let both = vec![address.parse().expect("an address"), [127, 0, 77, 3].into()];
    dns.set("api.test", Answer::Addresses(both, 300));
    let proxy = Settings::endpoints(&[&format!("api.test:{port}")])
        .with("resolver", &format!("servers: [ \"{}\" ], timeout: 5s", dns.address))
        .having(&format!("health: {{ {OFTEN} }}"))
        .start();
    until("the name to be known", || metric(&proxy, &dead));
    let out = becomes(&proxy, &dead, "unhealthy");
    assert_eq!(out["cause"], "connect_refused", "{out:#}");
    assert_eq!(
        (metric(&proxy, &dead), metric(&proxy, &origin.endpoint)),
        (Some(false), Some(true))
    );
    for _ in 0..4 {
        let told = proxy.get("/");
        assert_eq!((told.status(), attempts(&told)), (200, 1), "{:#}", told.record);
    }
    let host = origin.requests().first().and_then(|check| check.fields.text("host"));
    assert_eq!(host, Some(format!("api.test:{port}")));
}
