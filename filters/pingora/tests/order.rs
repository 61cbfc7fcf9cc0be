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

/// The hooks that two requests on one connection call, of the service by itself and wrapped.
async fn hooks(origin: SocketAddr) -> [Vec<(&'static str, u32)>; 2] {
    let (bare, wrapped) = (Notes::default(), Notes::default());
    let (address, listener) = rig::port();
    let conf = Arc::new(ServerConf::default());
    let mut service = http_proxy_service(&conf, bare.of(origin));
    service.add_tcp(&address.to_string());
    let _stop = rig::serve(service, address, listener);
    two_requests(address).await;
    let proxy = Proxy::start(wrapped.of(origin));
    two_requests(proxy.address).await;
    [bare.called(), wrapped.called()]
}

/// One after the other: bare Pingora takes a request that comes too early for a broken client.
async fn two_requests(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    for end in ["", "Connection: close\r\n"] {
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{end}\r\n");
        if stream.write_all(request.as_bytes()).await.is_err() {
            return;
        }
        let mut answer = Vec::new();
        while !(end.is_empty() && answer.ends_with(b"hello")) {
            match stream.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(_) => break,
            }
        }
    }
}

#[tokio::test]
async fn of_two_good_requests() {
    let [bare, wrapped] = hooks(rig::origin(Does::Says(GOOD)).await).await;
    assert_eq!(bare, wrapped);
    assert!(bare.contains(&("on_connection_reuse", 2)), "{bare:?}");
}

#[tokio::test]
async fn of_a_refused_connection() {
    let (origin, _held) = refusing();
    let [bare, wrapped] = hooks(origin).await;
    assert_eq!(bare, wrapped);
}

#[tokio::test]
async fn of_a_broken_one() {
    let [bare, wrapped] = hooks(rig::origin(Does::Closes).await).await;
    assert_eq!(bare, wrapped);
}
