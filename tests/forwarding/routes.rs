//! Which upstream a request goes to.

use crate::rig::origin::Origin;
use crate::rig::settings::Settings;

fn saying(word: &'static str) -> Origin {
    Origin::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{word}", word.len()))
}

#[test]
fn the_closest_route_takes_the_request() {
    let names = ["exact", "api", "apiv2", "wildcard", "deep", "rest"];
    let origins = names.map(saying);
    let settings = origins.iter().zip(names).fold(Settings::bare(), |settings, (origin, name)| {
        settings.upstream(name, &[&origin.endpoint]).knowing(origin)
    });
    let proxy = settings
        .route("upstream: rest")
        .route("match: { host: \"*.test\" }, upstream: wildcard")
        .route("match: { host: \"*.deep.test\" }, upstream: deep")
        .route("match: { host: app.test }, upstream: exact")
        .route("match: { host: app.test, path: /api/ }, upstream: api")
        .route("match: { host: app.test, path: /api/v2/ }, upstream: apiv2")
        .start();
    for (host, path, upstream) in [
        ("app.test", "/", "exact"),
        ("APP.TEST", "/", "exact"),
        ("app.test:8080", "/x", "exact"),
        ("app.test", "/api", "exact"),
        ("app.test", "/api/v1", "api"),
        ("app.test", "/api/v2/x?y", "apiv2"),
        ("other.test", "/api/v2/", "wildcard"),
        ("a.deep.test", "/", "deep"),
        ("a.b.deep.test", "/", "deep"),
        ("deep.test", "/", "wildcard"),
        ("test", "/", "rest"),
        ("example.net", "/api/", "rest"),
    ] {
        let told = proxy.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(told.answer().text(), upstream, "{host}{path}");
        assert_eq!(told.text("upstream"), upstream, "{host}{path}");
    }
}

#[test]
fn endpoints_take_turns_by_their_weight() {
    let (heavy, light) = (saying("heavy"), saying("light"));
    let endpoints = format!(
        "endpoints: [ {{ address: \"{}\", weight: 3 }}, \"{}\" ]",
        heavy.endpoint, light.endpoint
    );
    let proxy =
        Settings::bare().upstream_of("web", &endpoints).knowing(&heavy).knowing(&light).start();
    for _ in 0..8 {
        assert_eq!(proxy.get("/").status(), 200);
    }
    assert_eq!((heavy.requests().len(), light.requests().len()), (6, 2));
}

#[test]
fn a_name_is_resolved_again_once_its_time_is_over() {
    use crate::rig::dns::{Answer, Dns};
    use std::net::{IpAddr, Ipv4Addr};

    let first = saying("first");
    let port: u16 = first.endpoint.rsplit(':').next().expect("a port").parse().expect("a port");
    // All of 127/8 is loopback on Linux, and a port may be had on each of its addresses.
    let other = Ipv4Addr::new(127, 0, 0, 2);
    let second = Origin::at((other, port).into(), |mut connection| {
        while connection.request().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
        }
    });
    let dns = Dns::new();
    let at = |address: Ipv4Addr| Answer::Addresses(vec![IpAddr::V4(address)], 1);
    dns.set("api.test", at(Ipv4Addr::LOCALHOST));
    let proxy = Settings::endpoints(&[&format!("api.test:{port}")])
        .knowing(&first)
        .knowing(&second)
        .with("resolver", &format!("servers: [ \"{}\" ]", dns.address))
        .start();
    assert_eq!(proxy.get("/").answer().text(), "first");
    dns.set("api.test", at(other));
    crate::rig::until("the new address to be used", || {
        (proxy.get("/").answer().text() == "second").then_some(())
    });
}
