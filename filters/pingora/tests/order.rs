//! Every hook of the wrapped service is called, in Pingora's order, with its own context.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::*;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, http_proxy_service};
use pingora::server::configuration::ServerConf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::rig::{self, Does, GOOD, Proxy, refusing};

/// Notes each hook with the number of the request that its context was made for.
struct Theirs {
    origin: SocketAddr,
    notes: Arc<Notes>,
}

#[derive(Default)]
struct Notes {
    requests: Mutex<u32>,
    hooks: Mutex<Vec<(&'static str, u32)>>,
}

impl Notes {
    fn called(&self) -> Vec<(&'static str, u32)> {
        self.hooks.lock().expect("no panic").clone()
    }
}

struct Own {
    request: u32,
}

impl Theirs {
    fn note(&self, hook: &'static str, own: &Own) {
        self.notes.hooks.lock().expect("no panic").push((hook, own.request));
    }
}

#[async_trait]
impl ProxyHttp for Theirs {
    type CTX = Own;

    fn new_ctx(&self) -> Own {
        let mut requests = self.notes.requests.lock().expect("no panic");
        *requests += 1;
        Own { request: *requests }
    }

    fn on_connection_reuse(
        &self,
        _: &mut Session,
        own: &mut Own,
        before: Box<dyn Any + Send + Sync>,
    ) {
        assert_eq!(*before.downcast::<u32>().expect("theirs"), own.request - 1);
        self.note("on_connection_reuse", own);
    }

    async fn early_request_filter(&self, _: &mut Session, own: &mut Own) -> Result<()> {
        self.note("early_request_filter", own);
        Ok(())
    }

    fn allow_spawning_subrequest(&self, _: &Session, own: &Own) -> bool {
        self.note("allow_spawning_subrequest", own);
        false
    }

    async fn request_filter(&self, _: &mut Session, own: &mut Own) -> Result<bool> {
        self.note("request_filter", own);
        Ok(false)
    }

    fn request_cache_filter(&self, _: &mut Session, own: &mut Own) -> Result<()> {
        self.note("request_cache_filter", own);
        Ok(())
    }

    async fn proxy_upstream_filter(&self, _: &mut Session, own: &mut Own) -> Result<bool> {
        self.note("proxy_upstream_filter", own);
        Ok(true)
    }

    async fn upstream_peer(&self, _: &mut Session, own: &mut Own) -> Result<Box<HttpPeer>> {
        self.note("upstream_peer", own);
        Ok(rig::peer(self.origin))
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        own: &mut Own,
        error: Box<Error>,
    ) -> Box<Error> {
        self.note("fail_to_connect", own);
        error
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        _: bool,
        _: &HttpPeer,
        _: std::os::unix::io::RawFd,
        _: Option<&Digest>,
        own: &mut Own,
    ) -> Result<()> {
        self.note("connected_to_upstream", own);
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        _: &mut Session,
        _: &mut RequestHeader,
        own: &mut Own,
    ) -> Result<()> {
        self.note("upstream_request_filter", own);
        Ok(())
    }

    async fn request_body_filter(
        &self,
        _: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        own: &mut Own,
    ) -> Result<()> {
        self.note("request_body_filter", own);
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        _: &mut Session,
        _: &mut ResponseHeader,
        own: &mut Own,
    ) -> Result<()> {
        self.note("upstream_response_filter", own);
        Ok(())
    }

    async fn response_filter(
        &self,
        _: &mut Session,
        _: &mut ResponseHeader,
        own: &mut Own,
    ) -> Result<()> {
        self.note("response_filter", own);
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        _: &mut Session,
        _: &mut Option<Bytes>,
        end: bool,
        own: &mut Own,
    ) -> Result<Option<Duration>> {
        if end {
            self.note("upstream_response_body_filter", own);
        }
        Ok(None)
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        _: &mut Option<Bytes>,
        end: bool,
        own: &mut Own,
    ) -> Result<Option<Duration>> {
        if end {
            self.note("response_body_filter", own);
        }
        Ok(None)
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        _: &mut Session,
        mut error: Box<Error>,
        own: &mut Own,
        reused: bool,
    ) -> Box<Error> {
        self.note("error_while_proxy", own);
        error.retry.decide_reuse(reused);
        error
    }

    async fn fail_to_proxy(&self, _: &mut Session, _: &Error, own: &mut Own) -> FailToProxy {
        self.note("fail_to_proxy", own);
        FailToProxy { error_code: 0, can_reuse_downstream: false }
    }

    async fn logging(&self, _: &mut Session, _: Option<&Error>, own: &mut Own) {
        self.note("logging", own);
    }

    fn suppress_error_log(&self, _: &Session, own: &Own, _: &Error) -> bool {
        self.note("suppress_error_log", own);
        true
    }

    fn persist_connection_context(
        &self,
        _: &Session,
        own: &Own,
    ) -> Option<Box<dyn Any + Send + Sync>> {
        self.note("persist_connection_context", own);
        Some(Box::new(own.request))
    }
}

/// The hooks that two requests on one connection call, of the service by itself and wrapped.
async fn hooks(origin: SocketAddr) -> [Vec<(&'static str, u32)>; 2] {
    let bare = async {
        let notes = Arc::<Notes>::default();
        let (address, listener) = rig::port();
        let theirs = Theirs { origin, notes: notes.clone() };
        let mut service = http_proxy_service(&Arc::new(ServerConf::default()), theirs);
        service.add_tcp(&address.to_string());
        let _stop: watch::Sender<bool> = rig::serve(service, address, listener);
        two_requests(address).await;
        notes.called()
    };
    let wrapped = async {
        let notes = Arc::<Notes>::default();
        let proxy = Proxy::start(Theirs { origin, notes: notes.clone() });
        two_requests(proxy.address).await;
        notes.called()
    };
    [bare.await, wrapped.await]
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
