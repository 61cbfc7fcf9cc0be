//! What clients do to their requests over HTTP/2, and that nobody else is blamed for it.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use super::{OK, built};
use crate::rig::client::Client;
use crate::rig::h2client::{Http2, SOON, field, fields, frame, get, hello, request};
use crate::rig::net::Full;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";

/// An origin that says this after a head, and tells when it did.
fn saying(answer: &'static str) -> (Origin, mpsc::Receiver<()>) {
    let (said, heard) = mpsc::channel();
    let origin = Origin::new(move |mut connection| {
        connection.head();
        connection.send(answer);
        said.send(()).ok();
        connection.hold();
    });
    (origin, heard)
}

fn aborted(told: &Told, left: &str) {
    assert_eq!(told.text("cause"), "client_aborted", "{:#}", told.record);
    assert_eq!(told.text("party"), "client");
    assert_eq!(told.value("status"), 499);
    let evidence = told.value("evidence").to_string();
    assert!(evidence.contains(left), "{evidence}");
}

#[test]
fn a_request_taken_back_is_the_clients_doing_in_every_phase() {
    for (answer, method, end) in
        [("", "GET", true), ("", "POST", false), (HALF, "GET", true), (HALF, "POST", false)]
    {
        let (origin, heard) = saying(answer);
        let proxy = Settings::to(&origin).h2c().start();
        let client = Http2::connect(proxy.address());
        let told = proxy.exchange(|| {
            let mut exchange = client.open(built(request(method, "/")), end);
            heard.recv().expect("the origin has it");
            if !answer.is_empty() {
                assert_eq!(exchange.status(), Some(200));
            }
            exchange.cancel();
            None
        });
        aborted(&told, "reset");
        // The connection goes on.
        assert!(!client.told_to_go());
    }
}

#[test]
fn a_request_taken_back_while_we_connect_is_the_clients_doing() {
    let mut full = Full::new();
    full.fill();
    let proxy =
        Settings::endpoints(&[&full.endpoint]).h2c().once().with("timeouts", "connect: 1s").start();
    let client = Http2::connect(proxy.address());
    let told = proxy.exchange(|| {
        client.open(get("/"), true).cancel();
        None
    });
    aborted(&told, "reset");
}

#[test]
fn a_connection_that_ends_takes_its_requests_along() {
    let (origin, heard) = saying("");
    let proxy = Settings::to(&origin).h2c().start();
    let told = proxy.exchanges(2, || {
        let client = Http2::connect(proxy.address());
        let (one, other) = (client.open(get("/1"), true), client.open(get("/2"), true));
        (0..2).for_each(|_| heard.recv().expect("the origin has it"));
        drop((one, other));
        client.leave();
        Vec::new()
    });
    for told in &told {
        assert_eq!(told.text("cause"), "client_aborted", "{:#}", told.record);
    }
    let told = proxy.exchange(|| {
        let mut client = proxy.connect();
        client.send([hello(), frame(1, 5, 1, &fields())].concat());
        heard.recv().expect("the origin has it");
        client.reset();
        None
    });
    aborted(&told, "reset");
}

#[test]
fn a_request_taken_back_while_nobody_reads_it_is_seen() {
    // The origin reads nothing of the upload, and leaves when the client has.
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let origin = Origin::new(move |mut connection| {
        let head = connection.head().expect("a request");
        if head.method == "GET" {
            connection.send(OK);
            return connection.hold();
        }
        wait.lock().expect("no panic").recv().ok();
        connection.close();
    });
    let proxy = Settings::to(&origin).h2c().once().start();
    let client = Http2::connect(proxy.address());
    let told = proxy.exchanges(2, || {
        let mut exchange = client.open(built(request("POST", "/")), false);
        exchange.send(vec![b'u'; 1000], false);
        exchange.cancel();
        // What is sent later is read later.
        assert_eq!(client.get("/").expect("an answer").status, 200);
        go.send(()).expect("the origin waits");
        Vec::new()
    });
    let told = told.iter().find(|told| told.text("method") == "POST").expect("it is recorded");
    aborted(told, "reset");
}

#[test]
fn an_upload_that_stands_still_is_the_clients() {
    for limits in ["request_body: 300ms", "read: 300ms"] {
        let origin = Origin::new(|mut connection| {
            connection.request();
        });
        let proxy = Settings::to(&origin).h2c().once().with("timeouts", limits).start();
        let client = Http2::connect(proxy.address());
        let told = proxy.exchange(|| {
            let mut exchange = client.open(built(request("POST", "/")), false);
            exchange.send("half", false);
            exchange.receive()
        });
        assert_eq!((told.status(), told.text("cause")), (408, "client_slow"), "{:#}", told.record);
        assert_eq!(told.text("evidence.part"), "body");
        assert_eq!(told.value("evidence.bytes_so_far"), 4);
    }
}

#[test]
fn a_body_that_keeps_coming_is_not_slow() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().with("timeouts", "request_body: 1s").start();
    let told = proxy.tell(|client| {
        client.send([hello(), frame(1, 4, 1, &fields())].concat());
        // One frame, a byte at a time: a codec delivers it only when it is whole.
        let (head, body) = (frame(0, 1, 1, b"0123456789"), b"0123456789");
        client.send(&head[..9]);
        for (nth, byte) in body.iter().enumerate() {
            client.send([*byte]);
            assert!(nth == 9 || !answers(client, SOON), "it was refused");
        }
        until("the answer", || answers(client, SOON).then_some(()));
        None
    });
    assert_eq!(told.record["status"], 200, "{:#}", told.record);
    assert_eq!(origin.requests()[0].body, b"0123456789");
}

/// Whether a header section comes within this time; what else comes is passed over.
fn answers(client: &mut Client, time: Duration) -> bool {
    while client.speaks_within(time) {
        let head = client.exactly(9);
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        client.exactly(usize::try_from(length).expect("it fits"));
        if head[3] == 1 {
            return true;
        }
    }
    false
}

/// What is sent on a connection that comes to nothing, and how that is recorded.
fn dripped(proxy: &Proxy, bytes: &[u8]) -> Told {
    proxy.exchange(|| {
        let mut client = proxy.connect();
        client.send([&hello(), bytes].concat());
        until("the end of the connection", || (!client.fill()).then_some(()));
        None
    })
}

#[test]
fn a_header_section_that_does_not_end_is_slow() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().with("timeouts", "request_header: 300ms").start();
    let whole = frame(1, 5, 1, &fields());
    let open = frame(1, 1, 1, &fields());
    let more = frame(9, 0, 1, &field("x-more", "1"));
    for bytes in [&whole[..12], &open, &[open.clone(), more].concat()] {
        let told = dripped(&proxy, bytes);
        assert_eq!(told.text("cause"), "client_slow", "{:#}", told.record);
        assert_eq!(told.text("evidence.part"), "header");
        assert_eq!(told.text("evidence.setting"), "timeouts.request_header");
        assert_eq!(told.text("protocol"), "HTTP/2");
    }
    assert!(origin.requests().is_empty());
}

#[test]
fn a_connection_that_says_nothing_ends() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .h2c()
        .with("timeouts", "request_header: 300ms")
        .with("timeouts", "keepalive: 300ms")
        .start();
    let mut client = proxy.connect();
    client.send(hello());
    until("the end of the connection", || (!client.fill()).then_some(()));
    let client = Http2::connect(proxy.address());
    assert_eq!(proxy.exchange(|| client.get("/")).status(), 200);
    assert_eq!(client.over(), None, "it ended in good order");
    until("no connection to be left", || {
        (proxy.metrics().sum("whodunit_connections", &[("side", "client")]) < 0.5).then_some(())
    });
}

#[test]
fn a_client_that_does_not_read_is_told_from_a_slow_origin() {
    let big =
        format!("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n{}", "x".repeat(2_000_000));
    let origin = Origin::answering(big);
    let proxy = Settings::to(&origin).h2c().with("timeouts", "write: 300ms").start();
    let client = Http2::connect(proxy.address());
    let told = proxy.exchange(|| {
        let mut exchange = client.open(get("/"), true);
        assert_eq!(exchange.status(), Some(200));
        // It gives no window back.
        until("the record", || (proxy.log.lines() > 0).then_some(()));
        None
    });
    assert_eq!(told.text("cause"), "client_slow_reader", "{:#}", told.record);
}
