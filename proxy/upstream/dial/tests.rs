//! Peers as they are built, and an upgrade through a real Pingora service.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;

use async_trait::async_trait;
use pingora::protocols::Digest;
use pingora::proxy::{ProxyHttp, Session};
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service;
use pingora::upstreams::peer::Peer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use whodunit_filters::proxied::{Told, Version};
use whodunit_pingora::{Attributed, Settings};

use super::super::tls::{Tls, TlsSettings};
use super::*;

fn timeouts() -> TimeoutsInForce {
    let part = r#"{"connect":"5s","tls":"6s","read":"10s","write":"11s","idle":"12s"}"#;
    TimeoutsInForce::default().with("test", &serde_json::from_str(part).expect("an override"))
}

fn upstream(tls: Option<TlsSettings>) -> Upstream {
    let tls = tls.map(|settings| Tls::load(&settings).expect("no files"));
    Upstream::new("web", tls, Protocol::Auto)
}

fn picked(next_hop: NextHop, name: Option<&str>) -> Picked {
    Picked {
        endpoint: 0,
        next_hop,
        name: name.map(Into::into),
        dns: Duration::ZERO,
        answer_age: None,
        stale: None,
        more: false,
        passed_over: Vec::new(),
    }
}

fn peer(tls: Option<TlsSettings>, hop: &Picked, source: Source) -> Box<HttpPeer> {
    dial(&upstream(tls), hop, &timeouts(), source, None).expect("a peer").peer
}

/// What needs no authorities of the system's.
fn open() -> TlsSettings {
    TlsSettings { verify: false, ..TlsSettings::default() }
}

#[test]
fn every_limit_is_set() {
    let hop = picked(NextHop::Inet(([127, 0, 0, 1], 80).into()), None);
    for (tls, connection, total) in [(None, 5, 11), (Some(open()), 5, 11)] {
        let peer = peer(tls, &hop, Source::Pooled);
        let options = &peer.options;
        let seconds = |limit: Option<Duration>| limit.expect("a limit").as_secs();
        assert_eq!(seconds(options.connection_timeout), connection);
        assert_eq!(seconds(options.total_connection_timeout), total);
        assert_eq!(seconds(options.read_timeout), 10);
        assert_eq!(seconds(options.write_timeout), 11);
        assert_eq!(seconds(options.idle_timeout), 12);
    }
}

#[test]
fn the_server_name_is_never_empty_when_it_matters() {
    // Verified, without asking for the system's authorities.
    let verified = |sni: Option<&str>| Upstream {
        verify: true,
        sni: sni.map(Into::into),
        ..upstream(Some(open()))
    };
    let named = |upstream: &Upstream, hop: &Picked| {
        dial(upstream, hop, &timeouts(), Source::Pooled, None).map(|dialled| dialled.peer.sni)
    };
    let address = NextHop::Inet(([127, 0, 0, 1], 443).into());
    let by_name = picked(address.clone(), Some("a.test."));
    assert_eq!(named(&verified(None), &by_name).expect("a peer"), "a.test");
    assert_eq!(named(&verified(None), &picked(address, None)).expect("a peer"), "127.0.0.1");
    assert_eq!(named(&verified(Some("b.test")), &by_name).expect("a peer"), "b.test");
    let socket = picked(NextHop::Unix("/run/a.sock".into()), None);
    let refused = named(&verified(None), &socket).expect_err("refused");
    assert_eq!(refused.evidence.text(Key::Setting), Some("upstreams.web.tls.sni"));
    assert_eq!(named(&upstream(Some(open())), &socket).expect("a peer"), "");
}

#[test]
fn upgrades_share_no_connection_and_others_do() {
    let hop = picked(NextHop::Inet(([127, 0, 0, 1], 80).into()), None);
    assert_eq!(
        peer(None, &hop, Source::Pooled).reuse_hash(),
        peer(None, &hop, Source::Pooled).reuse_hash()
    );
    for alone in [Source::Fresh, Source::Upgrade] {
        assert_ne!(peer(None, &hop, alone).reuse_hash(), peer(None, &hop, alone).reuse_hash());
        assert_ne!(
            peer(None, &hop, alone).reuse_hash(),
            peer(None, &hop, Source::Pooled).reuse_hash()
        );
    }
}

#[test]
fn connections_are_shared_only_where_the_same_is_told_of_them() {
    let hop = picked(NextHop::Inet(([127, 0, 0, 1], 80).into()), None);
    let upstream = upstream(None).telling(Some(Version::V2));
    let hash = |port: u16, source| {
        let told = Told::Client { from: ([203, 0, 113, 9], port).into(), to: hop_at() };
        let greeting = Greeting::new(Version::V2, told);
        let dialled = dial(&upstream, &hop, &timeouts(), source, Some(&greeting));
        dialled.expect("a peer").peer.reuse_hash()
    };
    assert_eq!(hash(5000, Source::Pooled), hash(5000, Source::Pooled));
    assert_ne!(hash(5000, Source::Pooled), hash(5001, Source::Pooled));
    assert_ne!(hash(5000, Source::Fresh), hash(5000, Source::Fresh));
    let plain = peer(None, &hop, Source::Pooled).reuse_hash();
    assert_ne!(hash(5000, Source::Pooled), plain);
}

fn hop_at() -> SocketAddr {
    ([192, 0, 2, 1], 80).into()
}

/// A proxy in front of an origin that answers `101` before it was asked anything.
struct Front {
    origin: NextHop,
    latched: bool,
    /// One permit for each answer that lies ready to be read.
    answered: Arc<Semaphore>,
}

#[async_trait]
impl ProxyHttp for Front {
    type CTX = Option<Latch>;

    fn new_ctx(&self) -> Self::CTX {
        None
    }

    async fn upstream_peer(
        &self,
        _: &mut Session,
        latch: &mut Self::CTX,
    ) -> pingora::Result<Box<HttpPeer>> {
        let hop = picked(self.origin.clone(), None);
        let mut dialled = dial(
            &upstream(None),
            &hop,
            &timeouts(),
            if self.latched { Source::Upgrade } else { Source::Pooled },
            None,
        )
        .expect("a peer");
        // Without the latch, too, each upgrade has a connection of its own.
        dialled.peer.group_key = ALONE.fetch_add(1, Ordering::Relaxed);
        *latch = dialled.latch;
        Ok(dialled.peer)
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        _: bool,
        _: &HttpPeer,
        _: std::os::fd::RawFd,
        _: Option<&Digest>,
        latch: &mut Self::CTX,
    ) -> pingora::Result<()> {
        if let Some(latch) = latch {
            latch.hold();
        }
        self.answered.acquire().await.expect("never closed").forget();
        // Gives the runtime an occasion to notice that there is something to read: without the
        // latch that is what it takes to lose.
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }
}

const ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const QUESTION: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/// Answers at once, reads the request's head, then echoes.
async fn origin(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, answered: Arc<Semaphore>) {
    stream.write_all(ANSWER).await.expect("written");
    answered.add_permits(1);
    read_head(&mut stream).await;
    let mut buffer = [0; 64];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

async fn read_head(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    head
}

/// How many of so many upgrades let a word through and back.
async fn upgrades(
    origin_hop: NextHop,
    answered: Arc<Semaphore>,
    latched: bool,
    count: usize,
) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let address: SocketAddr = listener.local_addr().expect("bound");
    let front = Front { origin: origin_hop, latched, answered };
    let attributed = Attributed::new(front, Settings::new("n"));
    let mut service = whodunit_pingora::service("n", &Arc::new(ServerConf::default()), attributed);
    service.add_tcp(&address.to_string());
    let mut fds = Fds::new();
    fds.add(address.to_string(), listener.into_raw_fd());
    let fds = Arc::new(parking_lot::Mutex::new(fds));
    let (stop, stopped) = watch::channel(false);
    let service = tokio::spawn(async move {
        service.start_service(Some(fds), stopped, 1).await;
    });
    let mut passed = 0;
    for _ in 0..count {
        let mut client = TcpStream::connect(address).await.expect("connected");
        client.write_all(QUESTION).await.expect("written");
        let head = read_head(&mut client).await;
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        let mut echo = [0; 4];
        if client.write_all(b"ping").await.is_ok() && client.read_exact(&mut echo).await.is_ok() {
            assert_eq!(&echo, b"ping");
            passed += 1;
        }
    }
    stop.send(true).expect("still there");
    service.await.expect("no panic");
    passed
}

async fn over_tcp(latched: bool, count: usize) -> usize {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let hop = NextHop::Inet(listener.local_addr().expect("bound"));
    let answered = Arc::new(Semaphore::new(0));
    let count_answers = answered.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(origin(stream, count_answers.clone()));
        }
    });
    upgrades(hop, answered, latched, count).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_answer_to_an_upgrade_does_not_end_the_tunnel() {
    assert_eq!(over_tcp(true, 100).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_latch_it_does() {
    assert!(over_tcp(false, 100).await < 100, "Pingora is mended: the latch can go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_over_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("origin.sock");
    let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
    let hop = NextHop::Unix(path.to_str().expect("text").into());
    let answered = Arc::new(Semaphore::new(0));
    let count_answers = answered.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(origin(stream, count_answers.clone()));
        }
    });
    assert_eq!(upgrades(hop, answered, true, 20).await, 20);
}
