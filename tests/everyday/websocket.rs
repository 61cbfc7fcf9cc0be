//! A WebSocket server as people run it, the package `websockets`, and a common client.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::apps::App;
use crate::rig::client::wait_for;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::skip;

/// The server: an echo, which does some things besides when it is told to.
pub(crate) const APP: &str = r#"
import asyncio, fcntl, os, termios, time
from websockets.asyncio.server import serve
async def echo(ws):
    try:
        async for message in ws:
            if message == "close":
                await ws.close(4001, "as it is told")
            elif message == "ping":
                await (await ws.ping(b"are you there"))
                await ws.send("ponged")
            elif message == "die":
                # Once something lies there that nobody read: the kernel then says so to the sender.
                unread, socket = bytes(4), ws.transport.get_extra_info("socket")
                while unread == bytes(4):
                    time.sleep(0.01)
                    unread = fcntl.ioctl(socket.fileno(), termios.FIONREAD, bytes(4))
                os.kill(os.getpid(), 9)
            else:
                await ws.send(message)
    finally:
        print("closed", ws.close_code, flush=True)
def healthy(connection, request):
    return connection.respond(200, "ok") if request.path == "/healthz" else None
async def main():
    async with serve(echo, "127.0.0.1", 0, process_request=healthy, max_size=1 << 25, ping_interval=None) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()
asyncio.run(main())
"#;

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A server, and a proxy before it.
fn before(test: &str) -> Option<(App, Proxy)> {
    match App::start("websockets.asyncio.server", APP) {
        Ok(app) => {
            let proxy = Settings::endpoints(&[&app.endpoint]).start();
            Some((app, proxy))
        }
        Err(why) => {
            skip(&format!("everyday::websocket::{test}"), &why);
            None
        }
    }
}

async fn connect(proxy: &Proxy) -> Socket {
    let url = format!("ws://{}/chat", proxy.address());
    let config =
        WebSocketConfig::default().max_frame_size(Some(1 << 25)).max_message_size(Some(1 << 25));
    let (socket, answer) = tokio_tungstenite::connect_async_with_config(url, Some(config), true)
        .await
        .expect("a handshake");
    assert_eq!(answer.status(), 101);
    socket
}

async fn says(socket: &mut Socket) -> Message {
    socket.next().await.expect("the server speaks").expect("a message")
}

/// One session, to the server's or the client's goodbye, and what is told of it.
fn session(proxy: &Proxy, talk: impl AsyncFnOnce(&mut Socket)) -> Told {
    proxy.exchange(|| {
        wait_for(async {
            let mut socket = connect(proxy).await;
            talk(&mut socket).await;
            while let Some(Ok(_)) = socket.next().await {}
        });
        None
    })
}

fn nobody(told: &Told) {
    assert!(told.value("cause").is_null(), "{:#}", told.record);
    assert_eq!(told.value("status"), 101, "{:#}", told.record);
}

#[test]
fn messages_of_all_sizes_come_back() {
    let Some((app, proxy)) = before("messages_of_all_sizes_come_back") else { return };
    come_back(app, &proxy);
}

/// Messages of all sizes to this server and back, through a proxy before it.
pub(crate) fn come_back(mut app: App, proxy: &Proxy) {
    let told = session(proxy, async |socket| {
        for length in [0, 1, 125, 126, 65_535, 65_536, 8 << 20] {
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            socket.send(Message::binary(bytes.clone())).await.expect("the proxy takes it");
            assert_eq!(says(socket).await.into_data(), bytes, "{length} bytes");
        }
        let odd = "gr\u{fc}\u{df}e \u{1f980}";
        socket.send(Message::text(odd)).await.expect("the proxy takes it");
        assert_eq!(says(socket).await, Message::text(odd));
        socket.close(None).await.expect("the proxy takes it");
    });
    nobody(&told);
    app.server.says("closed 1005");
}

#[test]
fn pings_are_answered_by_the_other_end() {
    let Some((_app, proxy)) = before("pings_are_answered_by_the_other_end") else { return };
    let told = session(&proxy, async |socket| {
        socket.send(Message::Ping("hello".into())).await.expect("the proxy takes it");
        assert_eq!(says(socket).await, Message::Pong("hello".into()));
        socket.send(Message::text("ping")).await.expect("the proxy takes it");
        assert_eq!(says(socket).await, Message::Ping("are you there".into()));
        assert_eq!(says(socket).await, Message::text("ponged"));
        socket.close(None).await.expect("the proxy takes it");
    });
    nobody(&told);
}

#[test]
fn close_codes_arrive_either_way() {
    let Some((mut app, proxy)) = before("close_codes_arrive_either_way") else { return };
    let told = session(&proxy, async |socket| {
        socket.send(Message::text("close")).await.expect("the proxy takes it");
        let goodbye = CloseFrame { code: CloseCode::from(4001), reason: "as it is told".into() };
        assert_eq!(says(socket).await, Message::Close(Some(goodbye)));
    });
    nobody(&told);
    app.server.says("closed 4001");
    let told = session(&proxy, async |socket| {
        let goodbye = CloseFrame { code: CloseCode::from(4002), reason: "enough".into() };
        socket.close(Some(goodbye)).await.expect("the proxy takes it");
    });
    nobody(&told);
    app.server.says("closed 4002");
}

#[test]
fn a_server_that_is_killed_is_named() {
    let Some((_app, proxy)) = before("a_server_that_is_killed_is_named") else { return };
    let told = session(&proxy, async |socket| {
        socket.send(Message::text("hello")).await.expect("the proxy takes it");
        assert_eq!(says(socket).await, Message::text("hello"));
        socket.send(Message::text("die")).await.expect("the proxy takes it");
        while socket.send(Message::text("are you there?")).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    for (field, value) in [("cause", "tunnel_broken"), ("party", "origin"), ("phase", "receive")] {
        assert_eq!(told.text(field), value, "{:#}", told.record);
    }
}
