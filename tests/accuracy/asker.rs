//! A client of either protocol.

use std::fmt::Write;
use std::net::SocketAddr;

use super::ways::Way;
use crate::rig::client::Client;
use crate::rig::h2client::Http2;
use crate::rig::message::Response;

/// One connection.
pub(super) enum Asker {
    Http1(Client),
    Http2(Http2),
}

/// A request.
pub(super) struct Question<'a> {
    pub(super) method: &'static str,
    pub(super) host: &'a str,
    pub(super) path: String,
    /// Whether it asks for another protocol.
    pub(super) upgrade: bool,
    /// How long its body is, if it has one.
    pub(super) body: Option<u64>,
}

impl Asker {
    pub(super) fn connect(proxy: SocketAddr, way: Way) -> Self {
        if !way.http2 {
            return Self::Http1(Client::connect(proxy));
        }
        // The lab's chunks are small, and so are the frames that carry them on: by default the
        // library takes a hundred of them that nobody has read yet for an attack, and leaves.
        Self::Http2(Http2::with(proxy, |settings| {
            settings.data_frame_budget(1 << 24);
        }))
    }

    /// Asks what there is to ask, and leaves.
    pub(super) fn ask(
        mut self,
        ask: impl FnOnce(&mut Self) -> Option<Response>,
    ) -> Option<Response> {
        ask(&mut self)
    }

    /// Puts a question: the answer, if there is one.
    pub(super) fn put(&mut self, question: &Question<'_>) -> Option<Response> {
        let Question { method, host, path, upgrade, body } = question;
        match self {
            Self::Http1(client) => {
                let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
                if *upgrade {
                    head += "Connection: Upgrade\r\nUpgrade: websocket\r\n\
                             Sec-WebSocket-Version: 13\r\n\
                             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
                }
                if let Some(bytes) = body {
                    write!(head, "Content-Length: {bytes}\r\n").expect("a string takes it");
                }
                client.send(head + "\r\n");
                client.upload(body.unwrap_or_default());
                client.receive(method)
            }
            Self::Http2(client) => {
                let request = http::Request::builder().method(*method);
                let request = request.uri(format!("http://{host}{path}")).body(());
                let request = request.expect("a good request");
                let mut exchange = client.open(request, body.is_none());
                exchange.upload(body.unwrap_or_default());
                exchange.receive()
            }
        }
    }
}
