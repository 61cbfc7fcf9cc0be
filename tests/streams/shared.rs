//! A connection to an origin that requests share: none of them is at another's mercy, and it does
//! not outlive its use.

use std::sync::mpsc::channel;

use crate::rig::client::Client;
use crate::rig::frames::{Frame, Framed};
use crate::rig::h2::{Act, Answer, Origin};
use crate::rig::origin;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

fn settings(endpoint: &str) -> Settings {
    Settings::endpoints(&[endpoint]).having("protocol: h2c")
}

/// How many sockets the proxy has open (proc(5)).
fn sockets(proxy: &Proxy) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", proxy.id())).expect("it runs");
    let leads = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    leads.filter(|to| to.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn a_client_that_does_not_read_holds_nobody_up() {
    const LARGE: usize = 32 << 20;
    let origin = Origin::plain(|request, _| {
        let length = if request.target == "/large" { LARGE } else { 1 << 20 };
        Act::Answer(Answer::new(200, vec![b'x'; length]))
    });
    let proxy = settings(&origin.endpoint).with("timeouts", "read: 2s").start();
    let mut slow: Vec<Client> = (0..4).map(|_| proxy.connect()).collect();
    for (nth, client) in slow.iter_mut().enumerate() {
        client.send("GET /large HTTP/1.1\r\nHost: app.test\r\n\r\n");
        until("the origin to be asked", || (origin.requests().len() > nth).then_some(()));
    }
    for _ in 0..20 {
        let told = proxy.get("/small");
        assert!(told.answer().whole() && told.value("cause").is_null(), "{:#}", told.record);
    }
    assert_eq!(origin.connections(), 1);
    proxy.exchanges(slow.len(), || {
        slow.into_iter().for_each(Client::reset);
        Vec::new()
    });
}

/// Nobody is told when a request is given up; the connection is seen to nevertheless.
#[test]
fn a_connection_is_closed_when_its_only_request_was_given_up() {
    let (say, hear) = channel();
    let origin = origin::Origin::new(move |connection| {
        let Some(mut framed) = Framed::greet(connection) else { return };
        let stream = framed.request().expect("a request");
        framed.send(&Frame::status(stream, 200, false));
        while framed.frame().is_some() {}
        say.send(()).expect("the test waits");
    });
    let proxy = settings(&origin.endpoint).with("timeouts", "response: 300ms, idle: 300ms").start();
    assert_eq!(proxy.get("/").text("cause"), "response_deadline");
    hear.recv_timeout(crate::rig::PATIENCE).expect("the connection ends");
}

/// Its last words cannot be written, and nobody waits for them.
#[test]
fn a_connection_to_an_origin_that_reads_no_more_is_closed() {
    const WINDOW: u32 = 1 << 30;
    let (stop, stopped) = channel::<()>();
    let stopped = std::sync::Mutex::new(stopped);
    let origin = origin::Origin::new(move |connection| {
        let Some(mut framed) = Framed::greet(connection) else { return };
        framed.send(&Frame::initial_window(WINDOW));
        framed.send(&Frame::window(0, WINDOW));
        framed.request();
        stopped.lock().expect("nobody panicked").recv().ok();
    });
    let proxy =
        settings(&origin.endpoint).once().with("timeouts", "read: 300ms, write: 300ms").start();
    let before = sockets(&proxy);
    let told = proxy.tell(|client| {
        client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 33554432\r\n\r\n");
        client.upload(32 << 20);
        client.receive("POST")
    });
    assert_eq!(told.text("cause"), "request_write_timeout", "{:#}", told.record);
    until("its socket to be closed", || (sockets(&proxy) <= before).then_some(()));
    drop(stop);
}
