//! What goes through a secured connection, and through one of HTTP/2.

use std::sync::mpsc;

use super::protocols::bilingual;
use super::{app, trusting};
use crate::rig::PATIENCE;
use crate::rig::certificates::Authority;
use crate::rig::frames::{Frame, Framed};
use crate::rig::h2::{self, Act, Answer};
use crate::rig::h2client::{Http2, get, request};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Only HTTP/1.1 knows how to change into another protocol: where both could be spoken, an upgrade
/// asks for that one.
#[test]
fn a_tunnel_goes_through_tls_where_http2_would_be_spoken_otherwise() {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&app())).speaking(&["h2", "http/1.1"]);
    let origin = Origin::tls(&tls, |mut connection| {
        if connection.begins(b"PRI ") {
            return bilingual(connection);
        }
        connection.request();
        connection.send(SWITCH);
        while connection.fill() {
            let bytes = connection.unread();
            connection.send(bytes);
        }
    });
    let proxy = trusting(&origin, &root, ", sni: app.test").start();
    assert_eq!(proxy.get("/").answer().text(), "http2");
    let told = proxy.tell(|client| {
        client.send(ASK);
        let switched = client.receive("GET").expect("an answer");
        assert_eq!(switched.status, 101);
        for bytes in [b"\x00\xff\r\n\r\n".to_vec(), vec![7; 100_000]] {
            client.send(&bytes);
            assert_eq!(client.exactly(bytes.len()), bytes);
        }
        Some(switched)
    });
    assert!(told.value("cause").is_null(), "{:#}", told.record);
    let chosen: Vec<_> = tls.handshakes().into_iter().map(|seen| seen.protocol).collect();
    assert_eq!(chosen, [Some(b"h2".to_vec()), Some(b"http/1.1".to_vec())]);
    assert_eq!(proxy.get("/").answer().text(), "http2", "and the other goes on");
}

/// A proxy before this origin of HTTP/2, that takes it from clients as well.
fn before(origin: &h2::Origin, root: Option<&Authority>, more: &[&str]) -> Proxy {
    let key = match root {
        Some(root) => format!("tls: {{ sni: app.test, ca: \"{}\" }}", root.file().display()),
        None => "protocol: h2c".to_owned(),
    };
    let mut settings =
        Settings::endpoints(&[&origin.endpoint]).passing(origin.journal()).once().having(&key);
    for entry in more {
        settings = settings.with("timeouts", entry);
    }
    settings.h2c().start()
}

/// The same origin, plain and over TLS.
fn each(
    act: impl Fn(&crate::rig::message::Request, usize) -> Act + Clone + Send + Sync + 'static,
) -> [(h2::Origin, Option<Authority>); 2] {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&app())).speaking(&["h2"]);
    [(h2::Origin::plain(act.clone()), None), (h2::Origin::tls(&tls, act), Some(root))]
}

#[test]
fn an_upload_larger_than_a_window_arrives_whole() {
    let body: Vec<u8> = (0..700_000_u32).map(|nth| (nth % 251) as u8).collect();
    for (origin, root) in each(|_, _| Act::Answer(Answer::new(200, "ok"))) {
        let proxy = before(&origin, root.as_ref(), &[]);
        let told = proxy.send(
            [
                format!(
                    "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                )
                .as_bytes(),
                &body,
            ]
            .concat(),
        );
        assert_eq!(told.status(), 200, "{:#}", told.record);
        let mut chunks =
            b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for piece in body.chunks(40_000) {
            chunks.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            chunks.extend_from_slice(piece);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        assert_eq!(proxy.send(chunks).status(), 200);
        let client = Http2::connect(proxy.address());
        let told = proxy.exchange(|| {
            let mut exchange = client.open(request("POST", "/").body(()).expect("good"), false);
            exchange.send(body.clone(), true);
            exchange.receive()
        });
        assert_eq!(told.status(), 200, "{:#}", told.record);
        assert!(origin.requests().iter().all(|request| request.body == body));
        assert_eq!(origin.requests().len(), 3);
    }
}

/// A script for one that speaks frame by frame: hints, an answer, and trailers after it.
fn talkative(connection: Conversation) {
    let Some(mut framed) = Framed::greet(connection) else { return };
    while let Some(stream) = framed.request() {
        framed.send_all(&[
            Frame::header(stream, 103, &[("link", "</a>")]),
            Frame::header(stream, 103, &[("link", "</b>")]),
            Frame::header(stream, 200, &[("x-origin", "yes")]),
            Frame::data(stream, b"hello", false),
            Frame::trailers(stream, &[("x-sum", "5")]),
        ]);
    }
}

#[test]
fn hints_and_trailers_of_http2_do_no_harm() {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&app())).speaking(&["h2"]);
    let plain = Origin::new(talkative);
    let secured = Origin::tls(&tls, talkative);
    for settings in [
        Settings::endpoints(&[&plain.endpoint]).having("protocol: h2c"),
        trusting(&secured, &root, ", sni: app.test"),
    ] {
        let proxy = settings.once().h2c().start();
        let client = Http2::connect(proxy.address());
        for _ in 0..2 {
            let by_http1 = proxy.get("/");
            let mut trailers = None;
            let by_http2 = proxy.exchange(|| {
                let mut exchange = client.open(get("/"), true);
                let answer = exchange.receive();
                trailers = exchange.trailers;
                answer
            });
            let sum = trailers.and_then(|fields| fields.text("x-sum"));
            assert_eq!(sum.as_deref(), Some("5"), "trailers reach who can take them");
            for told in [by_http1, by_http2] {
                let answer = told.answer();
                assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
                assert!(answer.whole() && told.value("cause").is_null(), "{:#}", told.record);
                assert_eq!(answer.fields.text("x-origin").as_deref(), Some("yes"));
                // Pingora's session of HTTP/2 keeps what it hears before an answer to itself.
                assert!(answer.interim.is_empty(), "hints are passed on now: look at them here");
            }
        }
    }
}

#[test]
fn requests_share_a_connection() {
    for (origin, root) in each(|request, _| Act::Answer(Answer::new(200, request.target.clone()))) {
        let proxy = before(&origin, root.as_ref(), &[]);
        assert_eq!(proxy.get("/first").status(), 200);
        let client = Http2::connect(proxy.address());
        let count = 40;
        let told = proxy.exchanges(count, || {
            let paths: Vec<_> = (0..count).map(|nth| format!("/{nth}")).collect();
            let open =
                |path: &String| client.open(request("GET", path).body(()).expect("good"), true);
            let mut open: Vec<_> = paths.iter().map(open).collect();
            for (path, exchange) in paths.iter().zip(&mut open) {
                assert_eq!(&exchange.receive().expect("an answer").text(), path);
            }
            Vec::new()
        });
        assert!(told.iter().all(|told| told.record["status"] == 200));
        assert!(origin.connections() <= 2, "{} for {count} requests", origin.connections());
    }
}

#[test]
fn a_shared_connection_that_rests_too_long_is_closed() {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&app())).speaking(&["h2"]);
    for secured in [false, true] {
        let (left, gone) = mpsc::channel();
        let left = std::sync::Mutex::new(left);
        let script = move |connection: Conversation| {
            bilingual(connection);
            left.lock().expect("nobody panicked").send(()).expect("the test waits");
        };
        let (origin, settings);
        if secured {
            origin = Origin::tls(&tls, script);
            settings = trusting(&origin, &root, ", sni: app.test");
        } else {
            origin = Origin::new(script);
            settings = Settings::endpoints(&[&origin.endpoint]).having("protocol: h2c");
        }
        let proxy = settings.once().with("timeouts", "idle: 300ms").start();
        for _ in 0..3 {
            assert_eq!(proxy.get("/").answer().text(), "http2");
        }
        let mut ended = 0;
        while ended < origin.connections() {
            gone.recv_timeout(PATIENCE).expect("the proxy leaves");
            ended += 1;
        }
        let made = origin.connections();
        assert_eq!(proxy.get("/").status(), 200);
        assert_eq!(origin.connections(), made + 1, "a new one after the rest");
    }
}

/// Requests that are under way at the same time are so on one connection.
#[test]
fn requests_wait_for_their_answers_side_by_side() {
    let (arrived, waiting) = mpsc::channel();
    let arrived = std::sync::Mutex::new(arrived);
    let origin = h2::Origin::plain(move |_, nth| {
        arrived.lock().expect("nobody panicked").send(nth).expect("the test waits");
        if nth == 0 { Act::Answer(Answer::new(200, "ok")) } else { Act::Silence }
    });
    let proxy = before(&origin, None, &["read: 2s"]);
    assert_eq!(proxy.get("/").status(), 200);
    let client = Http2::connect(proxy.address());
    let count = 8;
    let told = proxy.exchanges(count, || {
        let asked = || request("GET", "/").body(()).expect("good");
        let open: Vec<_> = (0..count).map(|_| client.open(asked(), true)).collect();
        for nth in 0..=count {
            let arrived = waiting.recv_timeout(PATIENCE);
            assert!(arrived.is_ok(), "{nth} of them are there at a time");
        }
        assert_eq!(origin.connections(), 1);
        open.into_iter().for_each(crate::rig::h2client::Exchange::cancel);
        Vec::new()
    });
    assert!(told.iter().all(|told| told.text("cause") == "client_aborted"));
}
