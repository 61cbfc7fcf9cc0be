//! The ways in to the proxy, and the connections that clients keep.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::chaos::node::{NAME, Node};

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Http1,
    Http1OverTls,
    Http2,
    Http2OverTls,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// No connection could be made.
    Refused,
    /// The proxy has not looked at the request.
    Unsent,
    /// A connection that had been kept ended without an answer.
    Kept,
    /// A new one did.
    Sent,
}

type First = http1::SendRequest<Full<Bytes>>;
type Second = http2::SendRequest<Full<Bytes>>;

/// A connection that can carry another request.
pub(super) struct Back(Door, First);

/// All ways in.
pub(super) struct Doors {
    plain: SocketAddr,
    secured: SocketAddr,
    tls: [TlsConnector; 2],
    kept: Mutex<Vec<Back>>,
    shared: [tokio::sync::Mutex<Option<Second>>; 2],
}

impl Door {
    pub(super) const ALL: [Self; 4] =
        [Self::Http1, Self::Http1OverTls, Self::Http2, Self::Http2OverTls];

    pub(super) const fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Http2OverTls)
    }

    const fn is_secured(self) -> bool {
        matches!(self, Self::Http1OverTls | Self::Http2OverTls)
    }

    pub(super) const fn scheme(self) -> &'static str {
        if self.is_secured() { "https" } else { "http" }
    }
}

impl Doors {
    pub(super) fn of(node: &Node) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(node.authority.certificate()).expect("a certificate");
        let connector = |protocol: &[u8]| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("ring has them")
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Self {
            plain: node.plain,
            secured: node.secured,
            tls: [connector(b"http/1.1"), connector(b"h2")],
            kept: Mutex::default(),
            shared: Default::default(),
        }
    }

    /// Sends a request, if `kept` on a connection that has carried others. The connection is to be
    /// given [`back`](Self::back) after the answer.
    pub(super) async fn send(
        &self,
        door: Door,
        kept: bool,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Option<Back>), Lost> {
        if door.is_http2() {
            let mut connection = self.shared(door, kept).await?;
            let answer = connection.send_request(request).await;
            return answer.map(|answer| (answer, None)).map_err(|error| {
                // A stream above the last of a GOAWAY (RFC 9113 section 6.8).
                let unseen = error.is_canceled() || error.is_closed() || is_refused(&error);
                if unseen { Lost::Unsent } else { Lost::Sent }
            });
        }
        let idle = if kept { self.idle(door).await } else { None };
        let reused = idle.is_some();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.first(door).await?,
        };
        match connection.send_request(request).await {
            Ok(answer) => Ok((answer, Some(Back(door, connection)))),
            Err(error) if error.is_canceled() => Err(Lost::Unsent),
            Err(_) if reused => Err(Lost::Kept),
            Err(_) => Err(Lost::Sent),
        }
    }

    /// Keeps a connection for others.
    pub(super) fn back(&self, connection: Option<Back>) {
        self.kept.lock().expect("nobody panicked").extend(connection);
    }

    async fn idle(&self, door: Door) -> Option<First> {
        loop {
            let mut connection = {
                let mut kept = self.kept.lock().expect("nobody panicked");
                let place = kept.iter().position(|Back(theirs, _)| *theirs == door)?;
                kept.swap_remove(place).1
            };
            if connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    async fn shared(&self, door: Door, kept: bool) -> Result<Second, Lost> {
        let mut shared = self.shared[usize::from(door.is_secured())].lock().await;
        if let Some(connection) = shared.as_mut()
            && kept
            && connection.ready().await.is_ok()
        {
            return Ok(connection.clone());
        }
        let stream = self.connect(door).await?;
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (connection, driver) = handshake.map_err(|_| Lost::Unsent)?;
        tokio::spawn(driver);
        *shared = Some(connection.clone());
        Ok(connection)
    }

    async fn first(&self, door: Door) -> Result<First, Lost> {
        let stream = self.connect(door).await?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (connection, driver) = handshake.map_err(|_| Lost::Unsent)?;
        tokio::spawn(driver);
        Ok(connection)
    }

    async fn connect(&self, door: Door) -> Result<Box<dyn Stream>, Lost> {
        let address = if door.is_secured() { self.secured } else { self.plain };
        let socket = TcpStream::connect(address).await.map_err(|_| Lost::Refused)?;
        socket.set_nodelay(true).expect("Nagle can be turned off");
        if !door.is_secured() {
            return Ok(Box::new(socket));
        }
        let name = ServerName::try_from(NAME).expect("a name");
        let tls = &self.tls[usize::from(door.is_http2())];
        let secured = tls.connect(name, socket).await.map_err(|_| Lost::Refused)?;
        Ok(Box::new(secured))
    }
}

/// Whether the other end says that it has not acted on the request (RFC 9113 section 8.7).
fn is_refused(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error);
    let h2 = cause.and_then(|cause| cause.downcast_ref::<h2::Error>());
    h2.is_some_and(|error| {
        error.reason() == Some(h2::Reason::REFUSED_STREAM)
            || (error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR))
    })
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
