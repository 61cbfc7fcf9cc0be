//! The ingress before a real `HttpProxy`.

#![expect(clippy::disallowed_methods, reason = "a service that answers by itself")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::ResponseHeader;
use pingora::proxy::{ProxyHttp, Session, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::rig::{RULES, gist};
use super::{Arrival, Doorman, Ingress, Refusal, Rules};
use crate::attributed::Attributed;
use crate::settings::Settings;
use crate::tally::Tally;

/// Somebody's proxy that answers by itself.
#[derive(Default)]
struct Theirs {
    arrivals: Arc<Mutex<Vec<bool>>>,
}

#[async_trait]
impl ProxyHttp for Theirs {
    type CTX = ();
    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        unreachable!("`request_filter` answers")
    }

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> pingora::Result<bool> {
        let mut header = ResponseHeader::build(204, None)?;
        header.insert_header("Content-Length", "0")?;
        session.write_response_header(Box::new(header), true).await?;
        Ok(true)
    }

    fn on_connection_reuse(
        &self,
        _: &mut Session,
        (): &mut (),
        context: Box<dyn std::any::Any + Send + Sync>,
    ) {
        let arrival = context.downcast::<Arrival>().expect("an arrival");
        let inner = arrival.inner.is_some_and(|inner| inner.is::<&str>());
        self.arrivals.lock().expect("no panic").push(inner);
    }

    fn persist_connection_context(
        &self,
        _: &Session,
        (): &(),
    ) -> Option<Box<dyn std::any::Any + Send + Sync>> {
        Some(Box::new("theirs"))
    }
}

struct Open;

impl Doorman for Open {
    fn rules(&self) -> Rules {
        RULES
    }
    fn counted(&self, _: whodunit_filters::attribution::ledger::Use, _: i64) {}

    fn open(&self) -> i64 {
        1
    }

    fn speaks_h2c(&self, _: &pingora::protocols::l4::socket::SocketAddr) -> bool {
        false
    }

    fn turn_away(&self, _: Refusal<'_>) -> Option<crate::reply::Reply> {
        unreachable!("only HTTP/1 is spoken here")
    }

    fn refuse(&self, _: Refusal<'_>) -> Bytes {
        Bytes::new()
    }
}

#[tokio::test]
async fn pingora_delivers_the_arrival_and_what_a_service_keeps() {
    let theirs = Theirs::default();
    let arrivals = theirs.arrivals.clone();
    let app = http_proxy(&Arc::new(ServerConf::default()), theirs);
    let ingress = Arc::new(Ingress::new(Arc::new(app), Arc::new(Open)));
    let (mut client, server) = duplex(1024);
    let (_shutdown, watch) = tokio::sync::watch::channel(false);
    let tally = Tally::new(ingress.door().clone());
    let serving = tokio::spawn(async move { ingress.serve(Box::new(server), &watch, tally).await });
    let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    client.write_all(&[&request[..], &request[..], b"BAD\r\n"].concat()).await.expect("written");
    let mut received = String::new();
    client.read_to_string(&mut received).await.expect("text");
    assert_eq!(gist(&received), ["204", "204"]);
    assert_eq!(*arrivals.lock().expect("no panic"), [false, true]);
    serving.await.expect("no panic");
}

/// Somebody's proxy that answers below Pingora's session.
struct Busy;

#[async_trait]
impl ProxyHttp for Busy {
    type CTX = ();
    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        unreachable!("`request_filter` answers")
    }

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> pingora::Result<bool> {
        session.respond_error(503).await?;
        Ok(true)
    }
}

#[tokio::test]
async fn a_header_section_is_amended_however_slowly_it_goes_out() {
    let attributed = Attributed::new(Busy, Settings::new("node"));
    let door = Arc::new(attributed.door());
    let app = http_proxy(&Arc::new(ServerConf::default()), attributed);
    let ingress = Arc::new(Ingress::new(Arc::new(app), door));
    let (mut client, server) = duplex(7);
    let (_shutdown, watch) = tokio::sync::watch::channel(false);
    let tally = Tally::new(ingress.door().clone());
    tokio::spawn(async move { ingress.serve(Box::new(server), &watch, tally).await });
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let mut received = String::new();
    client.read_to_string(&mut received).await.expect("text");
    let (head, body) = received.split_once("\r\n\r\n").expect("a header section");
    let told: Vec<_> = head.lines().filter(|line| line.starts_with("Proxy-Status: ")).collect();
    assert_eq!((told.len(), body), (1, ""), "{received}");
    assert!(told[0].starts_with("Proxy-Status: node;error=http_request_denied;"), "{received}");
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("Content-Length: 0"), "{received}");
}
