//! `concurrency`: no more requests are under way on a route than it has room for, and each gives its
//! place back however it ends.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use super::{OK, reload};
use crate::rig::client::Client;
use crate::rig::h2client::{Http2, get};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

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

fn room(origin: &Origin, most: usize) -> Settings {
    Settings::to(origin)
        .h2c()
        .with("reload", "watch: false")
        .route(&format!("upstream: web, concurrency: {most}"))
}

fn asking(proxy: &Proxy) -> Client {
    let mut client = proxy.connect();
    client.send("GET /other HTTP/1.1\r\nHost: app.test\r\n\r\n");
    client
}

fn is_shed(told: &Told, open: u64, most: u64) {
    assert_eq!(told.text("cause"), "proxy_overloaded", "{:#}", told.record);
    assert_eq!((told.status(), told.text("evidence.setting")), (503, "routes[0].concurrency"));
    assert_eq!(told.value("evidence.open"), open);
    assert_eq!(told.value("evidence.max_count"), most);
    assert_eq!(told.answer().fields.text("retry-after").as_deref(), Some("1"));
}

/// The only place is free, or will be at once.
fn is_free(proxy: &Proxy) {
    until("the place to be free", || (proxy.get("/").status() == 200).then_some(()));
}

#[test]
fn a_place_is_given_back_however_the_request_ends() {
    for act in [Conversation::close as fn(Conversation), Conversation::reset, Conversation::hold] {
        let (origin, _asked) = origin(act);
        let proxy = room(&origin, 1).once().with("timeouts", "read: 200ms").start();
        for _ in 0..2 {
            assert!(proxy.get("/other").status() >= 502);
            is_free(&proxy);
        }
    }
}

#[test]
fn a_client_that_leaves_gives_its_place_back_and_one_over_the_limit_is_told_so() {
    let (origin, asked) = origin(Conversation::hold);
    let proxy = room(&origin, 1).start();
    for leave in [Client::finish_and_leave as fn(Client), Client::reset] {
        let client = asking(&proxy);
        asked.recv().expect("the origin is asked");
        is_shed(&proxy.get("/"), 1, 1);
        let connection = Http2::connect(proxy.address());
        is_shed(&proxy.exchange(|| connection.ask(get("/"))), 1, 1);
        let left = proxy.exchange(|| {
            leave(client);
            None
        });
        assert_eq!(left.text("cause"), "client_aborted", "{:#}", left.record);
        is_free(&proxy);
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
    let proxy = room(&origin, 1).start();
    let mut client = proxy.connect();
    client.send(ASK);
    assert_eq!(client.receive("GET").expect("an answer").status, 101);
    is_shed(&proxy.get("/"), 1, 1);
    proxy.exchange(|| {
        client.finish_and_leave();
        None
    });
    is_free(&proxy);
}

#[test]
fn a_reload_goes_on_counting() {
    let (origin, asked) = origin(Conversation::hold);
    let mut proxy = room(&origin, 2).start();
    let clients: Vec<Client> = (0..2)
        .map(|_| {
            let client = asking(&proxy);
            asked.recv().expect("the origin is asked");
            client
        })
        .collect();
    is_shed(&proxy.get("/"), 2, 2);
    reload(&mut proxy, &room(&origin, 1), 1);
    is_shed(&proxy.get("/"), 2, 1);
    proxy.exchanges(2, || {
        clients.into_iter().for_each(Client::reset);
        Vec::new()
    });
    is_free(&proxy);
}
