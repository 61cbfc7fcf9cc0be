//! An HTTP/2 client may end its body with an empty DATA frame. Pingora would make two last chunks of
//! that for an HTTP/1 origin (cloudflare/pingora#935), and the origin's next request begin with the
//! second.

use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::rig::{LONG, Proxy, head, peer};

struct Theirs {
    origin: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Theirs {
    type CTX = ();
    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(peer(self.origin))
    }
}

/// An origin that keeps its connection, and tells each time what came on it since the last header
/// section's end.
async fn origin() -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        while let Some(head) = head(&mut stream).await {
            let mut body = Vec::new();
            while head.contains("chunked") && !body.ends_with(b"0\r\n\r\n") {
                body.push(stream.read_u8().await.expect("a body"));
            }
            let told = format!("{head}{}", String::from_utf8_lossy(&body));
            tell.send(told).expect("the test listens");
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.expect("the proxy reads");
        }
    });
    (address, told)
}

#[tokio::test]
async fn a_body_ends_once() {
    let (origin, mut told) = origin().await;
    let proxy = Proxy::h2c(Theirs { origin });
    let mut client = proxy.h2_client().await;
    // The second request comes on the same connection of the origin's, right behind the first.
    for _ in 0..2 {
        let request = http::Request::post(format!("http://{}/", proxy.address)).body(());
        let (answer, mut body) =
            client.send_request(request.expect("a request"), false).expect("a free stream");
        body.send_data(Bytes::from_static(b"hello"), false).expect("room");
        body.send_data(Bytes::new(), true).expect("room");
        let answer = tokio::time::timeout(LONG, answer).await.expect("in time").expect("an answer");
        assert_eq!(answer.status(), 200);
        let came = told.recv().await.expect("the origin's word");
        assert!(came.starts_with("POST / HTTP/1.1\r\n"), "{came:?}");
        assert!(came.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "{came:?}");
    }
    assert!(proxy.recorded().is_empty());
}
