//! What origins are told.

use std::net::SocketAddr;

use super::porch::Porch;
use crate::rig::certificates::{Authority, Says};
use crate::rig::h2::{self, Act, Answer};
use crate::rig::h2client::{Http2, get, request};
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;
use crate::rig::until;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn before(porch: &Porch, version: &str) -> Settings {
    Settings::endpoints(&[&porch.endpoint]).having(&format!("proxy_protocol: {version}"))
}

/// A request for the client that a proxy in front names.
fn asked_for(client: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: {client}\r\n\r\n")
}

/// The line of version 1 for a client of this proxy.
fn line(client: SocketAddr, proxy: &Proxy) -> String {
    let at = proxy.address();
    format!("PROXY TCP4 {} {} {} {}\r\n", client.ip(), at.ip(), client.port(), at.port())
}

/// The same as a block of version 2.
fn block(client: SocketAddr, proxy: &Proxy) -> Vec<u8> {
    let mut block = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C".to_vec();
    let ends = [client, proxy.address()];
    for end in ends {
        let SocketAddr::V4(end) = end else { panic!("not of IPv4") };
        block.extend(end.ip().octets());
    }
    block.extend(ends.iter().flat_map(|end| end.port().to_be_bytes()));
    block
}

/// The client as the record has it.
fn client(record: &str) -> SocketAddr {
    record.parse().expect("an address")
}

#[test]
fn a_connection_begins_by_telling_whose_it_is() {
    let origin = Origin::answering(OK);
    let porch = Porch::before(&origin.endpoint);
    let proxy = before(&porch, "v1").start();
    let told = proxy.get("/");
    assert_eq!(told.status(), 200);
    let said = line(client(told.text("client")), &proxy);
    assert_eq!(String::from_utf8_lossy(&porch.greetings()[0]), said);

    let proxy = before(&porch, "v2").start();
    let told = proxy.get("/");
    assert_eq!(told.status(), 200);
    assert_eq!(porch.greetings()[1], block(client(told.text("client")), &proxy));
}

#[test]
fn one_client_keeps_its_connection_and_another_has_its_own() {
    let origin = Origin::answering(OK);
    let porch = Porch::before(&origin.endpoint);
    let proxy = before(&porch, "v1").start();
    let mut one = proxy.connect();
    for reused in [false, true, true] {
        let told = proxy.exchange(|| {
            one.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            one.receive("GET")
        });
        assert_eq!(told.value("connection.reused"), reused, "{:#}", told.record);
    }
    assert_eq!(proxy.get("/").value("connection.reused"), false);
    let greetings = porch.greetings();
    assert_eq!(greetings.len(), 2);
    assert_ne!(greetings[0], greetings[1]);
}

/// A proxy in front has the requests of many clients on one connection.
#[test]
fn what_a_trusted_proxy_says_of_the_client_is_told_and_no_two_clients_are_mixed() {
    let origin = Origin::answering(OK);
    let porch = Porch::before(&origin.endpoint);
    let proxy = before(&porch, "v1").start();
    let mut front = proxy.connect();
    let mut ask = |client: &str| {
        let told = proxy.exchange(|| {
            front.send(asked_for(client));
            front.receive("GET")
        });
        assert_eq!(told.status(), 200);
        told.value("connection.reused") == true
    };
    let clients = ["203.0.113.9", "203.0.113.8", "203.0.113.9", "2001:db8::9", "203.0.113.8"];
    let reused = clients.map(&mut ask);
    assert_eq!(reused, [false, false, true, false, true]);
    let port = proxy.address().port();
    let said: Vec<_> =
        porch.greetings().iter().map(|said| String::from_utf8_lossy(said).into_owned()).collect();
    assert_eq!(
        said,
        [
            format!("PROXY TCP4 203.0.113.9 127.0.0.1 0 {port}\r\n"),
            format!("PROXY TCP4 203.0.113.8 127.0.0.1 0 {port}\r\n"),
            format!("PROXY TCP6 2001:db8::9 ::ffff:127.0.0.1 0 {port}\r\n"),
        ]
    );
}

/// An origin of HTTP/2, plain or secured.
fn multiplexed(tls: Option<&Tls>) -> h2::Origin {
    let act = |_: &crate::rig::message::Request, _| Act::Answer(Answer::new(200, "ok"));
    match tls {
        Some(tls) => h2::Origin::tls(tls, act),
        None => h2::Origin::plain(act),
    }
}

#[test]
fn streams_of_two_clients_share_no_connection() {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&Says::names(&["app.test"]))).speaking(&["h2"]);
    let secured = format!("tls: {{ sni: app.test, ca: \"{}\" }}", root.file().display());
    for (origin, key) in
        [(multiplexed(None), "protocol: h2c".to_owned()), (multiplexed(Some(&tls)), secured)]
    {
        let porch = Porch::before(&origin.endpoint);
        let proxy = before(&porch, "v2").having(&key).h2c().start();
        let front = Http2::connect(proxy.address());
        for client in ["203.0.113.9", "203.0.113.8", "203.0.113.9"] {
            let asked = request("GET", "/").header("x-forwarded-for", client);
            let told = proxy.exchange(|| front.ask(asked.body(()).expect("a request")));
            assert_eq!(told.status(), 200, "{:#}", told.record);
        }
        let told = proxy.exchange(|| front.ask(get("/")));
        assert_eq!(told.status(), 200);
        let greetings = porch.greetings();
        let ends = [
            "203.0.113.9:0".parse().expect("an address"),
            "203.0.113.8:0".parse().expect("an address"),
            client(told.text("client")),
        ];
        assert_eq!(greetings, ends.map(|end| block(end, &proxy)));
    }
}

#[test]
fn a_second_attempt_tells_it_as_well() {
    let origin = Origin::new(|mut connection| {
        if connection.request().is_some_and(|request| request.target == "/again") {
            connection.send(OK);
        }
    });
    let (gone, there) = (Porch::before(&origin.endpoint), Porch::before(&origin.endpoint));
    let proxy = Settings::endpoints(&[&gone.endpoint, &there.endpoint])
        .having("proxy_protocol: v1")
        .start();
    let told = proxy.get("/");
    assert_eq!(told.text("cause"), "origin_closed");
    assert_eq!(told.value("evidence.proxy_protocol"), true);
    let said = line(client(told.text("client")), &proxy).into_bytes();
    assert_eq!((gone.greetings(), there.greetings()), (vec![said.clone()], vec![said]));
}

/// Nobody asked for a look: it is our own.
#[test]
fn a_look_of_our_own_says_that_it_is() {
    for (version, own) in
        [("v1", &b"PROXY UNKNOWN\r\n"[..]), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")]
    {
        let origin = Origin::new(|mut connection| drop(connection.request()));
        let porch = Porch::before(&origin.endpoint);
        let proxy = before(&porch, version).once().with("diagnosis", "checks: true").start();
        assert_eq!(proxy.get("/").text("cause"), "origin_closed");
        let looked = until("the look", || porch.greetings().get(1).cloned());
        assert_eq!(looked, own);
        until("the answer to it", || (origin.requests().len() == 2).then_some(()));
        assert_eq!(origin.requests()[1].method, "HEAD");
    }
}
