//! How many connections a client may have, and how many requests a connection.

use crate::rig::certificates::{Authority, Says};
use crate::rig::client::{Client, Over};
use crate::rig::h2client::{Http2, get, request};
use crate::rig::message::Response;
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::secured::Wants;
use crate::rig::settings::Settings;
use crate::rig::until;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

fn ask(client: &mut Client) -> Option<Response> {
    client.send(GET);
    client.receive("GET")
}

fn is_full(proxy: &Proxy) {
    let told = proxy.tell(|client| client.receive("GET"));
    assert_eq!((told.status(), told.text("cause")), (429, "rate_limited"), "{:#}", told.record);
    assert_eq!(told.text("evidence.setting"), "limits.connections_per_client");
    assert_eq!(
        (told.value("evidence.max_count"), told.value("evidence.open")),
        (&2.into(), &3.into())
    );
}

/// There is room for one more, or will be at once.
fn has_room(proxy: &Proxy) {
    until("room for a connection", || (proxy.get("/").status() == 200).then_some(()));
}

#[test]
fn a_client_has_so_many_connections_and_no_more_until_one_ends() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "connections_per_client: 2").h2c().start();
    let mut one = proxy.connect();
    assert_eq!(proxy.exchange(|| ask(&mut one)).status(), 200);
    // One of HTTP/2 is one as well.
    let two = Http2::connect(proxy.address());
    assert_eq!(proxy.exchange(|| two.ask(get("/"))).status(), 200);
    for _ in 0..3 {
        is_full(&proxy);
    }
    assert_eq!(proxy.exchange(|| ask(&mut one)).status(), 200, "those that are there go on");
    assert_eq!(proxy.exchange(|| two.ask(get("/"))).status(), 200);
    one.reset();
    has_room(&proxy);
    let mut one = proxy.connect();
    assert_eq!(proxy.exchange(|| ask(&mut one)).status(), 200);
    is_full(&proxy);
    two.leave();
    has_room(&proxy);
}

/// Over TLS a client is told nothing: that would take a handshake.
#[test]
fn connections_over_tls_count_before_they_are_secured() {
    let root = Authority::new("root");
    let own = root.signs(&Says::names(&["app.test"]));
    let origin = Origin::answering(OK);
    let settings = Settings::to(&origin).secured(&[&own], "");
    let proxy = settings.with("limits", "connections_per_client: 2").start();
    let mut one = Wants::anything().connect(proxy.address(), "app.test").expect("TLS");
    assert_eq!(proxy.exchange(|| one.get("").ok()).status(), 200);
    // One that says nothing as yet counts as well.
    let silent = proxy.connect();
    let before = proxy.log.lines();
    until("the silent one to be counted", || {
        Wants::anything().connect(proxy.address(), "app.test").err()
    });
    assert_eq!(proxy.log.wait(before + 1)[before]["cause"], "rate_limited");
    silent.finish_and_leave();
    until("room for a connection", || {
        Wants::anything().connect(proxy.address(), "app.test").ok().map(drop)
    });
}

/// Counted from when the limit is there: those before it take no place.
#[test]
fn the_limit_may_come_and_go_while_connections_are_open() {
    let origin = Origin::answering(OK);
    let settings = Settings::to(&origin);
    let proxy = settings.clone().start();
    let mut before = [proxy.connect(), proxy.connect(), proxy.connect()];
    for client in &mut before {
        assert_eq!(proxy.exchange(|| ask(client)).status(), 200);
    }
    proxy.rewrite(&settings.clone().with("limits", "connections_per_client: 2"));
    until("the limit", || proxy.said().contains("configuration reloaded").then_some(()));
    let mut after = [proxy.connect(), proxy.connect()];
    for client in before.iter_mut().chain(&mut after) {
        assert_eq!(proxy.exchange(|| ask(client)).status(), 200);
    }
    is_full(&proxy);
    let [one, two] = after;
    one.finish_and_leave();
    two.finish_and_leave();
    has_room(&proxy);
}

#[test]
fn a_connection_ends_politely_after_its_last_request() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "requests_per_connection: 3").h2c().start();
    let mut client = proxy.connect();
    for nth in 1..=3 {
        let told = proxy.exchange(|| ask(&mut client));
        assert_eq!(told.status(), 200);
        let said = told.answer().fields.text("connection");
        assert_eq!(said.as_deref() == Some("close"), nth == 3, "{nth}: {said:?}");
    }
    assert_eq!(client.over(), Over::Closed);

    let client = Http2::connect(proxy.address());
    for nth in 1..=3 {
        let told = proxy.exchange(|| client.ask(get("/")));
        assert_eq!(told.status(), 200, "{nth}");
    }
    assert!(client.told_to_go());
    assert_eq!(client.over(), None, "nothing went wrong");
}

/// One that is a body behind the others when the goodbye comes is served to its end.
#[test]
fn requests_under_way_are_served_to_their_end() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("limits", "requests_per_connection: 2").h2c().start();
    let client = Http2::connect(proxy.address());
    let told = proxy.exchanges(2, || {
        let mut slow = client.open(request("POST", "/").body(()).expect("a request"), false);
        let last = client.ask(get("/"));
        assert!(client.told_to_go());
        slow.send("hello", true);
        vec![last, slow.receive()]
    });
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|told| told.status() == 200));
    assert!(origin.requests().iter().any(|request| request.body == b"hello"));
}
