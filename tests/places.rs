//! `max_connections` and `max_requests`: every place that is taken is given back, however the request
//! ends.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use rustix::process::Signal;

use crate::rig::certificates::{Identity, Says};
use crate::rig::client::Client;
use crate::rig::h2;
use crate::rig::net::Refusing;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;
use crate::rig::until;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ONE: &str = "max_connections: 1, max_requests: 1";

/// An origin that answers `/` and treats other requests so, once it has told that they came.
fn origin(act: impl Fn(Conversation) + Send + Sync + 'static) -> (Origin, Receiver<()>) {
    let (asked, waiting) = channel();
    let asked = Mutex::new(asked);
    let origin = Origin::new(move |mut connection| {
        while let Some(request) = connection.request() {
            if request.target != "/" {
                let asked = asked.lock().expect("nobody panicked").clone();
                // The test may have seen enough.
                let _ = asked.send(());
                return act(connection);
            }
            connection.send(OK);
        }
    });
    (origin, waiting)
}

/// The only place is free, or will be at once.
fn is_free(proxy: &Proxy) {
    until("the place to be free", || (proxy.get("/").status() == 200).then_some(()));
}

fn is_taken(proxy: &Proxy, setting: &str) {
    let told = proxy.get("/");
    assert_eq!(told.text("cause"), "upstream_limit_reached", "{:#}", told.record);
    assert_eq!(told.text("evidence.setting"), setting);
}

fn asking(proxy: &Proxy) -> Client {
    let mut client = proxy.connect();
    client.send("GET /other HTTP/1.1\r\nHost: app.test\r\n\r\n");
    client
}

#[test]
fn a_place_is_given_back_however_the_request_ends() {
    for act in [Conversation::close as fn(Conversation), Conversation::reset, Conversation::hold] {
        let (origin, _asked) = origin(act);
        let proxy =
            Settings::to(&origin).having(ONE).once().with("timeouts", "read: 200ms").start();
        for _ in 0..3 {
            assert!(proxy.get("/other").status() >= 502);
            is_free(&proxy);
        }
    }
}

#[test]
fn a_client_that_leaves_gives_its_place_back() {
    let (origin, asked) = origin(Conversation::hold);
    let proxy = Settings::to(&origin).having(ONE).start();
    let leave = [Client::finish_and_leave as fn(Client), Client::reset];
    for leave in leave {
        let client = asking(&proxy);
        asked.recv().expect("the origin is asked");
        is_taken(&proxy, "upstreams.web.max_requests");
        let left = proxy.exchange(|| {
            leave(client);
            None
        });
        assert_eq!(left.text("cause"), "client_aborted", "{:#}", left.record);
        is_free(&proxy);
    }
}

#[test]
fn attempts_and_failed_connections_take_one_place_between_them() {
    let closed = Refusing::new();
    let origin = Origin::answering(OK);
    let proxy = Settings::endpoints(&[&closed.endpoint, &origin.endpoint])
        .knowing(&origin)
        .having(ONE)
        .start();
    for _ in 0..6 {
        let told = proxy.get("/");
        assert_eq!(told.status(), 200, "{:#}", told.record);
    }
    let alone = Settings::endpoints(&[&closed.endpoint]).having(ONE).start();
    for _ in 0..3 {
        assert_eq!(alone.get("/").text("cause"), "connect_refused");
    }
}

#[test]
fn a_tunnel_holds_its_place_until_it_ends() {
    const ASK: &str = "GET /other HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (origin, _asked) = origin(|mut connection| {
        connection.send("HTTP/1.1 101 Go On\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        connection.hold();
    });
    let proxy = Settings::to(&origin).having("max_connections: 1").start();
    let mut client = proxy.connect();
    client.send(ASK);
    assert_eq!(client.receive("GET").expect("an answer").status, 101);
    is_taken(&proxy, "upstreams.web.max_connections");
    proxy.exchange(|| {
        client.finish_and_leave();
        None
    });
    is_free(&proxy);
}

#[test]
fn a_reload_goes_on_counting() {
    let (origin, asked) = origin(Conversation::hold);
    let limited = |most: &str| {
        Settings::to(&origin)
            .with("reload", "watch: false")
            .having(&format!("max_requests: {most}"))
    };
    let mut proxy = limited("2").start();
    let first = asking(&proxy);
    asked.recv().expect("the origin is asked");
    is_free(&proxy);
    proxy.rewrite(&limited("1"));
    proxy.process().signal(Signal::HUP);
    until("the change", || proxy.said().contains("configuration reloaded").then_some(()));
    is_taken(&proxy, "upstreams.web.max_requests");
    proxy.exchange(|| {
        first.reset();
        None
    });
    is_free(&proxy);
}

#[test]
fn no_more_are_let_through_than_allowed_and_no_fewer() {
    const MOST: usize = 3;
    let (origin, asked) = origin(Conversation::hold);
    let proxy = Settings::to(&origin).having("max_requests: 3").start();
    let clients: Vec<Client> = (0..MOST)
        .map(|_| {
            let client = asking(&proxy);
            asked.recv().expect("the origin is asked");
            client
        })
        .collect();
    is_taken(&proxy, "upstreams.web.max_requests");
    proxy.exchanges(MOST, || {
        clients.into_iter().for_each(Client::reset);
        Vec::new()
    });
    is_free(&proxy);
}

#[test]
fn requests_that_share_a_connection_take_no_place_each() {
    let origin = h2::Origin::plain(|request, _| match request.target.as_str() {
        "/" => h2::Act::Answer(h2::Answer::new(200, "ok")),
        _ => h2::Act::Silence,
    });
    let proxy = Settings::endpoints(&[&origin.endpoint])
        .having("protocol: h2c, max_connections: 1")
        .start();
    let clients: Vec<Client> = (1..=3)
        .map(|number| {
            let client = asking(&proxy);
            let asked = || (origin.requests().len() == number).then_some(());
            until("the origin to be asked", asked);
            client
        })
        .collect();
    assert_eq!(proxy.get("/").status(), 200);
    assert_eq!(origin.connections(), 1);
    proxy.exchanges(clients.len(), || {
        clients.into_iter().for_each(Client::reset);
        Vec::new()
    });
}

#[test]
fn a_connection_that_could_have_been_shared_and_is_not_takes_a_place() {
    let tls = Tls::new(Identity::of_its_own(&Says::names(&["app.test"]))).speaking(&["http/1.1"]);
    let (asked, waiting) = channel();
    let asked = Mutex::new(asked);
    let origin = Origin::tls(&tls, move |mut connection| {
        while let Some(request) = connection.request() {
            if request.target == "/" {
                connection.send(OK);
            } else {
                asked.lock().expect("nobody panicked").send(()).expect("the test waits");
            }
        }
    });
    let proxy = Settings::to(&origin)
        .having("tls: { sni: app.test, verify: false }, max_connections: 1")
        .start();
    is_free(&proxy);
    let first = asking(&proxy);
    waiting.recv().expect("the origin is asked");
    is_taken(&proxy, "upstreams.web.max_connections");
    proxy.exchange(|| {
        first.reset();
        None
    });
    is_free(&proxy);
}
