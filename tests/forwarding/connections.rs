//! Connections on both sides: kept, shared, pipelined, and of every kind.

use super::OK;
use crate::rig::client::{Client, Over};
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

fn serve(connection: &mut crate::rig::origin::Conversation) {
    while connection.request().is_some() {
        connection.send(OK);
    }
}

#[test]
fn connections_are_kept_on_both_sides() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let mut client = proxy.connect();
    for _ in 0..5 {
        let told = proxy.exchange(|| {
            client.send(GET);
            client.receive("GET")
        });
        assert_eq!(told.status(), 200);
    }
    assert_eq!(origin.connections(), 1);
    // Another client's request goes over the same connection.
    let told = proxy.get("/");
    assert_eq!(origin.connections(), 1);
    assert_eq!(told.value("connection.reused"), true);
}

#[test]
fn a_client_that_wants_its_connection_closed_has_it_closed() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    proxy.tell(|client| {
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
        let answer = client.receive("GET");
        assert_eq!(client.over(), Over::Closed);
        answer
    });
    assert_eq!(proxy.get("/").status(), 200);
    assert_eq!(origin.connections(), 1, "the origin's connection is not the client's");
}

#[test]
fn an_origin_that_closes_after_each_answer_costs_nobody_an_error() {
    let origin = Origin::new(|mut connection| {
        if connection.request().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
            connection.close();
        }
    });
    let proxy = Settings::to(&origin).start();
    let mut client = proxy.connect();
    for _ in 0..3 {
        let told = proxy.exchange(|| {
            client.send(GET);
            client.receive("GET")
        });
        assert_eq!(told.status(), 200);
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let origin = Origin::serving(|request| {
        let path = &request.target;
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).into_bytes()
    });
    let proxy = Settings::to(&origin).start();
    let told = proxy.exchanges(3, || {
        let mut client = proxy.connect();
        client.send(
            ["/a", "/b", "/c"].map(|path| GET.replace("GET /", &format!("GET {path}"))).concat(),
        );
        (0..3).map(|_| client.receive("GET")).collect()
    });
    let answers: Vec<String> = told.iter().map(|t| t.answer().text()).collect();
    assert_eq!(answers, ["/a", "/b", "/c"]);
}

#[test]
fn addresses_may_be_of_version_six() {
    let origin = Origin::at("[::1]:0".parse().expect("an address"), |mut c| serve(&mut c));
    let proxy = Settings::to(&origin).listener("[::1]:0").start();
    assert!(proxy.addresses[1].is_ipv6());
    let told = proxy.exchange(|| {
        let mut client = Client::connect(proxy.addresses[1]);
        client.send(GET);
        client.receive("GET")
    });
    assert_eq!(told.status(), 200);
    assert_eq!(told.text("next_hop"), origin.endpoint);
    assert!(told.text("client").starts_with("[::1]:"), "{:#}", told.record);
}

#[test]
fn an_origin_may_be_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let origin = Origin::unix(&folder.path().join("app.sock"), |mut c| serve(&mut c));
    let proxy = Settings::to(&origin).start();
    let told = proxy.get("/");
    assert_eq!(told.status(), 200);
    assert_eq!(told.text("next_hop"), origin.endpoint);
}

#[test]
fn several_listeners_serve_alike_and_say_which_they_are() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).listener("127.0.0.1:0").start();
    assert_ne!(proxy.addresses[0], proxy.addresses[1]);
    for address in &proxy.addresses {
        let told = proxy.exchange(|| {
            let mut client = Client::connect(*address);
            client.send(GET);
            client.receive("GET")
        });
        assert_eq!(told.status(), 200);
        assert!(told.text("listener").starts_with("127.0.0.1:"), "{:#}", told.record);
    }
}
