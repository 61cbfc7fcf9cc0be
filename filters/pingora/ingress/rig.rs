//! What the tests of the ingress are made with: a client's end of a connection, an application
//! that echoes, a doorman that remembers.
#![expect(clippy::disallowed_methods, reason = "an application that answers by itself")]

use std::future::pending;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora::http::ResponseHeader;
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use whodunit_filters::attribution::ledger::Use;
use whodunit_filters::attribution::{Failure, Fault};
use whodunit_filters::head::HeadLimits;

use super::{Arrival, ClientFacts, Doorman, Ingress, Refusal, Rules};
use crate::tally::Tally;

pub(super) const RULES: Rules = Rules {
    head: HeadLimits { section: 512, fields: 8, target: 128 },
    request_header: Duration::from_secs(10),
    keepalive: Duration::from_secs(75),
    write: Duration::from_secs(30),
    requests: None,
    connections: 100,
};

/// Remembers whom it turned away.
pub(super) struct Door {
    rules: Rules,
    pub(super) refused: Mutex<Vec<(Failure, bool)>>,
    open: AtomicI64,
}

impl Doorman for Door {
    fn rules(&self) -> Rules {
        self.rules
    }

    fn counted(&self, _: Use, change: i64) {
        self.open.fetch_add(change, std::sync::atomic::Ordering::Relaxed);
    }

    fn open(&self) -> i64 {
        self.open.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn speaks_h2c(&self, _: &pingora::protocols::l4::socket::SocketAddr) -> bool {
        false
    }

    fn turn_away(&self, _: Refusal<'_>) -> Option<crate::reply::Reply> {
        unreachable!("only HTTP/1 is spoken here")
    }

    fn refuse(&self, refusal: Refusal<'_>) -> Bytes {
        let status = match refusal.failure.fault {
            Fault::Denied(cause) => cause.standard.code().expect("a denial has a status"),
            Fault::TimedOut => 408,
            _ => 500,
        };
        let answer = format!("HTTP/1.1 {status} -\r\nConnection: close\r\n\r\n");
        self.refused.lock().expect("no panic").push((refusal.failure, refusal.answerable));
        answer.into()
    }
}

/// Answers with the request line and the body; some paths mean something else.
pub(super) struct Echo {
    /// The facts about each request's client.
    pub(super) clients: Mutex<Vec<Arc<ClientFacts>>>,
}

#[async_trait]
impl HttpServerApp for Echo {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let arrival = session.take_connection_user_context().expect("every request arrives");
        let arrival = arrival.downcast::<Arrival>().expect("as an arrival");
        self.clients.lock().expect("no panic").push(arrival.client.clone());
        assert!(session.read_request().await.expect("the gate lets in good requests only"));
        if *shutdown.borrow() {
            session.set_keepalive(None);
        }
        let path = session.req_header().uri.path().to_owned();
        let mut said = format!("[{} {path} ", session.req_header().method).into_bytes();
        match path.as_str() {
            "/panic" => panic!("as asked"),
            "/wait" => {
                let left = session.read_body_or_idle(false).await;
                assert!(left.is_err(), "{left:?}");
                return None;
            }
            "/upgrade" => {
                let header = ResponseHeader::build(101, None).expect("a good header");
                session.write_response_header(Box::new(header)).await.expect("written");
            }
            "/large" => said.resize(1 << 20, b'x'),
            _ => {}
        }
        while path != "/early"
            && let Some(piece) = session.read_request_body().await.ok()?
        {
            said.extend_from_slice(&piece);
        }
        said.extend_from_slice(b"]\r\n");
        if path == "/upgrade" {
            session.write_response_body(said.into(), true).await.expect("written");
            return None;
        }
        let mut header = ResponseHeader::build(200, None).expect("a good header");
        header.insert_header("Content-Length", said.len()).expect("a good header");
        session.write_response_header(Box::new(header)).await.ok()?;
        session.write_response_body(said.into(), true).await.ok()?;
        let mut kept = HttpPersistentSettings::for_session(&session);
        kept.set_user_context(Box::new("kept"));
        let reusable = session.finish().await.ok()??;
        Some(ReusedHttpStream::from_reusable_stream(reusable, kept))
    }
}

/// A connection with an ingress at its other end.
pub(super) struct Connection<C = DuplexStream> {
    pub(super) client: C,
    pub(super) door: Arc<Door>,
    pub(super) echo: Arc<Echo>,
    pub(super) shutdown: watch::Sender<bool>,
    pub(super) served: JoinHandle<()>,
}

pub(super) fn connect(rules: Rules) -> Connection {
    let (client, ours) = duplex(1024);
    over(client, Box::new(ours), rules)
}

/// The same over TCP.
pub(super) async fn connect_by_tcp(rules: Rules) -> Connection<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let ours = pingora::protocols::l4::stream::Stream::from(accepted.expect("accepted").0);
    over(client.expect("connected"), Box::new(ours), rules)
}

fn over<C>(client: C, ours: Stream, rules: Rules) -> Connection<C> {
    let door = Arc::new(Door { rules, refused: Mutex::default(), open: AtomicI64::default() });
    let echo = Arc::new(Echo { clients: Mutex::default() });
    let (shutdown, watch) = watch::channel(false);
    let ingress = Arc::new(Ingress { app: echo.clone(), door: door.clone() });
    let served = tokio::spawn(async move {
        let tally = Tally::new(ingress.door().clone());
        ingress.serve(ours, &watch, tally).await;
    });
    Connection { client, door, echo, shutdown, served }
}

impl<C: AsyncRead + AsyncWrite + Unpin> Connection<C> {
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.write_all(bytes.as_ref()).await.expect("the other end reads");
    }

    /// Reads until the other end closes.
    pub(super) async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        self.client.read_to_end(&mut all).await.expect("a good end");
        String::from_utf8(all).expect("text")
    }

    /// Reads until these bytes have come.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let mut all = String::new();
        while !all.ends_with(end) {
            let byte = self.client.read_u8().await.expect("more");
            all.push(char::from(byte));
        }
        all
    }

    /// Sends this in pieces while reading, closes, and reads the rest.
    pub(super) async fn exchange(self, pieces: &[&[u8]], close: bool) -> String {
        let (mut from, mut to) = tokio::io::split(self.client);
        let writing = async {
            for piece in pieces {
                // The other end may have heard enough.
                if to.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            if !close {
                pending::<()>().await;
            }
            let _ = to.shutdown().await;
        };
        let mut all = Vec::new();
        let reading = from.read_to_end(&mut all);
        tokio::select! {
            read = reading => { read.expect("a good end"); }
            () = async { writing.await; pending::<()>().await } => {}
        }
        String::from_utf8(all).expect("text")
    }

    pub(super) fn failures(&self) -> Vec<(Failure, bool)> {
        self.door.refused.lock().expect("no panic").clone()
    }
}

/// The statuses and the echoes in what a client received.
pub(super) fn gist(received: &str) -> Vec<String> {
    received
        .split("\r\n")
        .filter_map(|line| match line.strip_prefix("HTTP/1.1 ") {
            Some(status) => Some(status[..3].to_owned()),
            None => {
                line.strip_prefix('[').map(|rest| rest.split(']').next().unwrap_or("").to_owned())
            }
        })
        .collect()
}
