//! What the tests are made with: a wrapped service on a port of its own, an origin that does as it
//! is told, a client that sends bytes.

use std::net::SocketAddr;
use std::os::fd::IntoRawFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use pingora::apps::{HttpServerOptions, ServerApp};
use pingora::proxy::{ProxyHttp, http_proxy_service};
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;
use pingora::upstreams::peer::HttpPeer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use whodunit_filters::attribution::Record;
use whodunit_filters::attribution::cause::{CATALOGUE, Cause};
use whodunit_filters::attribution::ledger::Ledger;
use whodunit_pingora::{Attributed, Books, Settings, Sink};

/// A bound on waiting for what must come; no test waits this long unless it fails.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A service that listens. It ends with the test.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) ledger: Arc<Ledger>,
    records: Arc<Records>,
    _stop: watch::Sender<bool>,
}

/// What was recorded.
#[derive(Default)]
pub(crate) struct Records {
    all: Mutex<Vec<Arc<Record>>>,
    came: tokio::sync::Notify,
}

impl Sink for Records {
    fn write(&self, record: &Arc<Record>) {
        self.all.lock().expect("no panic").push(record.clone());
        self.came.notify_waiters();
    }
}

impl Proxy {
    /// This service behind the ingress, with every setting at its default, and for HTTP/2 as well.
    pub(crate) fn start<P>(theirs: P) -> Self
    where
        P: ProxyHttp + Send + Sync + 'static,
        P::CTX: Send + Sync,
    {
        Self::start_with(theirs, Settings::new("their-node"), ServerConf::default())
    }

    pub(crate) fn start_with<P>(theirs: P, settings: Settings, conf: ServerConf) -> Self
    where
        P: ProxyHttp + Send + Sync + 'static,
        P::CTX: Send + Sync,
    {
        Self::host(theirs, settings, |attributed| {
            whodunit_pingora::service("theirs", &Arc::new(conf), attributed)
        })
    }

    /// This service without the ingress, for HTTP/2 without TLS.
    pub(crate) fn h2c<P>(theirs: P) -> Self
    where
        P: ProxyHttp + Send + Sync + 'static,
        P::CTX: Send + Sync,
    {
        Self::host(theirs, Settings::new("their-node"), |attributed| {
            let mut service = http_proxy_service(&Arc::new(ServerConf::default()), attributed);
            let mut options = HttpServerOptions::default();
            options.h2c = true;
            service.app_logic_mut().expect("a new service").server_options = Some(options);
            service
        })
    }

    /// A client of it, ready to send.
    pub(crate) async fn h2_client(&self) -> h2::client::SendRequest<Bytes> {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        client.ready().await.expect("a stream to spare")
    }

    /// The same, hosted in a way of the test's own.
    pub(crate) fn host<P, A>(
        theirs: P,
        mut settings: Settings,
        host: impl FnOnce(Attributed<P>) -> Service<A>,
    ) -> Self
    where
        A: ServerApp + Send + Sync + 'static,
    {
        let (ledger, records) = (Arc::new(Ledger::default()), Arc::new(Records::default()));
        let books = Books::new(ledger.clone(), records.clone());
        let (address, listener) = port();
        settings.listeners = settings.listeners.with_h2c(vec![address.to_string().into()]);
        let mut service = host(Attributed::with_books(theirs, settings, books));
        service.add_tcp(&address.to_string());
        let stop = serve(service, address, listener);
        Self { address, ledger, records, _stop: stop }
    }

    /// Sends a request for this path and reads all that comes until the connection is closed.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n"))
            .await
    }

    /// The same with bytes of the test's own.
    pub(crate) async fn send(&self, request: &str) -> Answer {
        exchange(self.address, request).await
    }

    /// The record, as soon as it is written. There is only ever one.
    pub(crate) async fn record(&self) -> Arc<Record> {
        let records = self.records(1).await;
        records[0].clone()
    }

    /// So many records, as soon as they are written.
    pub(crate) async fn records(&self, expected: usize) -> Vec<Arc<Record>> {
        let enough = async {
            loop {
                let came = self.records.came.notified();
                tokio::pin!(came);
                came.as_mut().enable();
                let all = self.recorded();
                if all.len() >= expected {
                    return all;
                }
                came.await;
            }
        };
        let all = tokio::time::timeout(LONG, enough).await.expect("as many records");
        assert_eq!(all.len(), expected, "{all:?}");
        all
    }

    /// What was recorded until now.
    pub(crate) fn recorded(&self) -> Vec<Arc<Record>> {
        self.records.all.lock().expect("no panic").clone()
    }

    /// The causes counted, each with its count.
    pub(crate) fn counted(&self) -> Vec<(&'static str, u64)> {
        let upstreams = self.ledger.all_upstreams();
        let count = |cause: Cause| {
            let of =
                |generated| upstreams.iter().map(|u| u.failures(cause, generated)).sum::<u64>();
            of(true) + of(false)
        };
        CATALOGUE.iter().map(|cause| (cause.id, count(cause))).filter(|(_, n)| *n > 0).collect()
    }

    /// Holds header, body, record and counter of a failed request to each other.
    pub(crate) async fn agreed(&self, answer: &Answer, status: u16, cause: &str) -> Arc<Record> {
        let told = answer.told();
        assert_eq!(answer.status(), status, "{answer:?}");
        assert!(told.contains(&format!("cause={cause};")), "{told}");
        let record = self.record().await;
        assert_eq!((record.status, record.cause), (status, Some(cause)), "{record:?}");
        assert!(told.contains(&format!("ref=\"{}\"", record.id)), "{told} {record:?}");
        assert_eq!(self.counted(), [(cause, 1)]);
        record
    }
}

/// A free port, bound and listening.
pub(crate) fn port() -> (SocketAddr, std::net::TcpListener) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a good socket");
    (listener.local_addr().expect("bound"), listener)
}

/// Runs a service on a port that is bound already, until the sender is dropped.
pub(crate) fn serve<A: ServerApp + Send + Sync + 'static>(
    mut service: Service<A>,
    address: SocketAddr,
    listener: std::net::TcpListener,
) -> watch::Sender<bool> {
    let mut fds = Fds::new();
    fds.add(address.to_string(), listener.into_raw_fd());
    let fds = Arc::new(parking_lot::Mutex::new(fds));
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        pingora::services::Service::start_service(&mut service, Some(fds), stopped, 1).await;
    });
    stop
}

/// What a client received, header section and body.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) String);

impl Answer {
    /// The last status that came; 0 if none did.
    pub(crate) fn status(&self) -> u16 {
        let line = self.0.strip_prefix("HTTP/1.1 ").unwrap_or_default();
        line.get(..3).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// The field that says who failed; it stands there once.
    pub(crate) fn told(&self) -> &str {
        let mut told = self.field("proxy-status");
        let first = told.next().unwrap_or_else(|| panic!("no Proxy-Status: {self:?}"));
        assert_eq!(told.next(), None, "{self:?}");
        first
    }

    /// The lines of a field.
    pub(crate) fn field<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        head.lines().filter_map(move |line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

pub(crate) async fn exchange(address: SocketAddr, request: &str) -> Answer {
    let talk = async {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut all = Vec::new();
        // A reset after the answer is an end as well.
        let _ = stream.read_to_end(&mut all).await;
        Answer(String::from_utf8(all).expect("text"))
    };
    tokio::time::timeout(LONG, talk).await.expect("an end")
}

/// What an origin does once it has read a request's header section.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// Sends this and closes.
    Says(&'static str),
    /// Closes without a byte.
    Closes,
    /// Resets the connection.
    Resets,
    /// Nothing, for ever.
    Waits,
}

/// A good answer, as an origin sends it.
pub(crate) const GOOD: &str =
    "HTTP/1.1 200 OK\r\nX-Origin: y\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

/// An origin. It ends with the test.
pub(crate) async fn origin(does: Does) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(act(stream, does));
        }
    });
    address
}

async fn act(mut stream: TcpStream, does: Does) {
    if head(&mut stream).await.is_none() {
        return;
    }
    match does {
        Does::Says(bytes) => stream.write_all(bytes.as_bytes()).await.expect("the proxy reads"),
        Does::Closes => {}
        Does::Resets => stream.set_zero_linger().expect("a good socket"),
        Does::Waits => std::future::pending().await,
    }
}

/// A peer without TLS.
#[expect(clippy::disallowed_methods, reason = "made from an address")]
pub(crate) fn peer(address: SocketAddr) -> Box<HttpPeer> {
    Box::new(HttpPeer::new(address, false, String::new()))
}

/// Reads a request's header section.
pub(crate) async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// An address at which nothing accepts connections, and nothing will while the socket is held.
pub(crate) fn refusing() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    (socket.local_addr().expect("bound"), socket)
}
