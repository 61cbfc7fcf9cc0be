//! Every hook of the wrapped service is called, in Pingora's order, with its own context.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use pingora::proxy::http_proxy_service;
use pingora::server::configuration::ServerConf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::hooked::Hooked;
use crate::rig::{self, Does, GOOD, Proxy, refusing};

/// The hooks called, each with the number of its request. A body may come in any number of pieces.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(&'static str, u32)>>>);

impl Notes {
    /// A service that notes its hooks here.
    fn of(&self, origin: SocketAddr) -> Hooked {
        let notes = self.clone();
        Hooked::new(origin, move |hook, _, request| {
            let mut called = notes.0.lock().expect("no panic");
            if called.last() != Some(&(hook, request)) {
                called.push((hook, request));
            }
        })
    }

    fn called(&self) -> Vec<(&'static str, u32)> {
        self.0.lock().expect("no panic").clone()
    }
}

/// What the last request says of its connection.
const CLOSE: &str = "Connection: close\r\n";

/// The hooks that these requests on one connection call, of the service by itself and wrapped.
async fn hooks(origin: SocketAddr, ends: &[&str]) -> [Vec<(&'static str, u32)>; 2] {
    let (bare, wrapped) = (Notes::default(), Notes::default());
    let (address, listener) = rig::port();
    let conf = Arc::new(ServerConf::default());
    let mut service = http_proxy_service(&conf, bare.of(origin));
    service.add_tcp(&address.to_string());
    let _stop = rig::serve(service, address, listener);
    requests(address, ends).await;
    let proxy = Proxy::start(wrapped.of(origin));
    requests(proxy.address, ends).await;
    [bare.called(), wrapped.called()]
}

/// One after the other: bare Pingora takes a request that comes too early for a broken client.
async fn requests(address: SocketAddr, ends: &[&str]) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    for end in ends {
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{end}\r\n");
        if stream.write_all(request.as_bytes()).await.is_err() {
            return;
        }
        let mut answer = Vec::new();
        while !(end.is_empty() && is_whole(&answer)) {
            match stream.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(_) => break,
            }
        }
    }
}

/// Whether the answer is there as far as its length says.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()) == Some(body.len())
}

#[tokio::test]
async fn of_two_good_requests() {
    let [bare, wrapped] = hooks(rig::origin(Does::Says(GOOD)).await, &["", CLOSE]).await;
    assert_eq!(bare, wrapped);
    assert!(bare.contains(&("on_connection_reuse", 2)), "{bare:?}");
}

#[tokio::test]
async fn of_a_refused_connection() {
    let (origin, _held) = refusing();
    let [bare, wrapped] = hooks(origin, &[CLOSE]).await;
    assert_eq!(bare, wrapped);
}

#[tokio::test]
async fn of_a_broken_one() {
    let [bare, wrapped] = hooks(rig::origin(Does::Closes).await, &[CLOSE]).await;
    assert_eq!(bare, wrapped);
}

/// Pingora lets no request follow; the ingress does, with what the service keeps for the connection.
#[tokio::test]
async fn of_a_request_after_a_refused_connection() {
    let (origin, _held) = refusing();
    let [_, wrapped] = hooks(origin, &["", CLOSE]).await;
    let [_, once] = hooks(origin, &[CLOSE]).await;
    let again = |(hook, request): &(&'static str, u32)| (*hook, request + 1);
    let kept = [("persist_connection_context", 1), ("on_connection_reuse", 2)];
    let second = once.iter().map(again).filter(|called| *called != kept[1]);
    let mut expected = [once.clone(), kept.to_vec()].concat();
    expected.extend(second);
    assert_eq!(wrapped, expected);
}
