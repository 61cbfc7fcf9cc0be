//! What an upstream's connections are like: plain or secured, and which HTTP is spoken over them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::ALPN;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::tls::CustomALPN;
use pingora::upstreams::peer::{HttpPeer, Peer};
use pingora::{Error, ErrorType};
use whodunit_filters::proxied::Greeting;

use super::latch::Latch;
use super::tls::Tls;

/// How many requests an HTTP/2 connection to an origin may carry at a time, if the origin allows as
/// many.
const STREAMS: usize = 100;

/// Which HTTP is spoken to an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Over TLS, whichever of HTTP/2 and HTTP/1.1 the origin chooses (ALPN, RFC 7301); HTTP/1.1
    /// over a plain connection. The default.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 over TLS; an origin that does not choose it is an error.
    H2,
    /// HTTP/2 over a plain connection, without asking (RFC 9113 section 3.3).
    H2c,
}

/// How connections of one kind are made. To be kept for as long as the settings that it was made of.
#[derive(Clone)]
pub struct Line {
    /// TLS, if it is spoken.
    pub tls: Option<Tls>,
    /// Which HTTP.
    pub protocol: Protocol,
    /// Holds back the answer to an upgrade.
    pub latch: Option<Latch>,
    /// What is sent before anything else, TLS included: whose connection it is. Connections that
    /// begin otherwise need another `group_key`, or a client is taken for another one.
    pub greeting: Option<Greeting>,
}

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until TCP stands.
    pub connect: Duration,
    /// Until TLS stands, after that.
    pub tls: Duration,
}

impl Line {
    /// Lets connections to this peer be made so, by the connector of an attributed
    /// [`service`](crate::service); no other one can. The peer's own settings for TLS and for its
    /// connector are not looked at, but for the name to ask for (`sni`).
    ///
    /// Connections are shared by all peers with the same address, name and `group_key`: lines that
    /// differ need different ones.
    pub fn string(self: Arc<Self>, peer: &mut HttpPeer, patience: Patience) {
        let multiplexed = self.may_be_http2();
        let options = &mut peer.options;
        // Any name of a protocol that Pingora does not know leaves the connection to us.
        options.alpn = ALPN::Custom(CustomALPN::new(b"whodunit".to_vec()));
        options.max_h2_streams = if multiplexed { STREAMS } else { 1 };
        options.connection_timeout = Some(patience.connect);
        options.total_connection_timeout = Some(patience.connect + patience.tls);
        options.custom_l4 = Some(self);
    }

    /// Whether a connection may carry several requests at a time.
    #[must_use]
    pub const fn may_be_http2(&self) -> bool {
        match self.protocol {
            Protocol::Auto => self.tls.is_some(),
            Protocol::Http1 => false,
            Protocol::H2 | Protocol::H2c => true,
        }
    }

    /// Whether a connection may be HTTP/1.1, which alone knows how to change into another protocol.
    #[must_use]
    pub const fn may_be_http1(&self) -> bool {
        matches!(self.protocol, Protocol::Auto | Protocol::Http1)
    }
}

/// What the connector reads back of a peer.
pub(super) async fn of(peer: &impl Peer) -> Option<(Arc<Line>, Patience)> {
    let options = peer.get_peer_options()?;
    let carrier = options.custom_l4.as_ref()?;
    let error = carrier.connect(peer.address()).await.err()?;
    let line = error.cause.as_deref()?.downcast_ref::<Carried>()?.0.clone();
    let connect = options.connection_timeout.unwrap_or(Duration::MAX);
    let total = options.total_connection_timeout.unwrap_or(Duration::MAX);
    Some((Arc::new(line), Patience { connect, tls: total.saturating_sub(connect) }))
}

/// Whether connections to this peer may be HTTP/2.
pub(super) fn multiplexed(peer: &impl Peer) -> bool {
    peer.get_peer_options().is_some_and(|options| options.max_h2_streams > 1)
}

/// A peer has no place for a line but that of another connector. Asked to connect, it gives itself
/// away instead.
#[async_trait]
impl L4Connect for Line {
    async fn connect(&self, _: &SocketAddr) -> pingora::Result<Stream> {
        Err(Error::because(ErrorType::Custom("Line"), "", Carried(self.clone())))
    }
}

#[derive(Debug)]
struct Carried(Line);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a connection that only an attributed service can make")
    }
}

impl std::error::Error for Carried {}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("tls", &self.tls.is_some())
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
