//! Connections that turn into something else: WebSocket.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use crate::rig::client::{Client, wait_for};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[test]
fn a_tunnel_carries_any_bytes_both_ways() {
    let origin = Origin::new(|mut connection| {
        let asked = connection.request().expect("a request");
        assert_eq!(asked.fields.text("upgrade").as_deref(), Some("websocket"));
        connection.send(SWITCH);
        while connection.fill() {
            let bytes = connection.unread();
            connection.send(bytes);
        }
    });
    let proxy = Settings::to(&origin).start();
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
}

#[test]
fn a_tunnel_opens_however_fast_the_origin_answers() {
    // The origin's first bytes come in one piece with its answer.
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.send([SWITCH.as_bytes(), b"hello"].concat());
        connection.hold();
    });
    let proxy = Settings::to(&origin).start();
    for _ in 0..20 {
        proxy.tell(|client| {
            client.send(ASK);
            let switched = client.receive("GET");
            assert_eq!(client.exactly(5), b"hello");
            switched
        });
    }
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    let origin = Origin::answering("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno");
    let proxy = Settings::to(&origin).start();
    let told = proxy.send(ASK);
    assert_eq!(told.status(), 426);
    assert_eq!(told.answer().text(), "no");
}

#[test]
fn a_common_library_speaks_websocket_through_it() {
    wait_for(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = listener.local_addr().expect("it is bound").to_string();
        let echo = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("the proxy connects");
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a handshake");
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() {
                    socket.send(message).await.expect("the proxy takes it");
                }
            }
        });
        let proxy = Settings::endpoints(&[&endpoint]).start();
        let url = format!("ws://{}/chat", proxy.address());
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a handshake");
        for text in ["one", "two"] {
            socket.send(Message::text(text)).await.expect("the proxy takes it");
            let echoed = socket.next().await.expect("an echo").expect("a message");
            assert_eq!(echoed.into_text().expect("text").as_str(), text);
        }
        socket.close(None).await.expect("the proxy takes it");
        while socket.next().await.is_some() {}
        echo.await.expect("the origin does not panic");
        tokio::task::spawn_blocking(move || drop(proxy)).await.expect("it ends well");
    });
}

/// A tunnel in which nobody speaks ends at the limit, and that is nobody's failure.
#[test]
fn a_silent_tunnel_is_closed_and_nobody_is_blamed() {
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.send(SWITCH);
        connection.hold();
    });
    let proxy = Settings::to(&origin).with("timeouts", "read: 300ms").start();
    let told = proxy.tell(|client| {
        client.send(ASK);
        let switched = client.receive("GET").expect("an answer");
        // Its end: the proxy closes.
        while client.fill() {}
        Some(switched)
    });
    assert!(told.value("cause").is_null(), "{:#}", told.record);
}

/// A tunnel through which something was said, and the way in which it ends.
fn ending(
    origin: impl Fn(Conversation) + Send + Sync + 'static,
    client: impl FnOnce(Client),
) -> Told {
    let origin = Origin::new(move |mut connection| {
        connection.request();
        connection.send(SWITCH);
        connection.fill();
        connection.send("from the origin");
        origin(connection);
    });
    let proxy = Settings::to(&origin).start();
    proxy.exchange(|| {
        let mut talking = proxy.connect();
        talking.send(ASK);
        let switched = talking.receive("GET");
        talking.send("from the client");
        assert_eq!(talking.exactly(15), b"from the origin");
        client(talking);
        switched
    })
}

fn to_the_end(mut client: Client) {
    while client.fill() {}
}

#[test]
fn a_tunnel_that_the_origin_breaks_off_is_told_of_as_that() {
    let told = ending(
        |mut connection| {
            connection.fill();
            connection.reset();
        },
        |mut client| {
            client.send("the last words");
            to_the_end(client);
        },
    );
    for (field, value) in [
        ("cause", "tunnel_broken"),
        ("party", "origin"),
        ("phase", "receive"),
        ("certainty", "proved"),
        ("error", "connection_terminated"),
        ("evidence.left", "reset"),
    ] {
        assert_eq!(told.text(field), value, "{field} in {:#}", told.record);
    }
    assert_eq!(told.value("evidence.received"), 15);
    assert_eq!(told.value("status"), 101);
}

#[test]
fn a_tunnel_that_either_end_leaves_has_come_to_its_end() {
    let good = |told: Told| assert!(told.value("cause").is_null(), "{:#}", told.record);
    good(ending(Conversation::close, to_the_end));
    good(ending(Conversation::hold, Client::finish_and_leave));
    good(ending(Conversation::hold, Client::reset));
}
