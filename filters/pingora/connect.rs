//! Connections to origins, made by ourselves: Pingora has closed a connection, and forgotten why,
//! by the time it tells that it broke.
//!
//! A [`Line`] says what an upstream's connections are like; the [`Connector`] of an attributed
//! service makes them. What it learns on the way is evidence: the kernel's counters of unanswered
//! packets, the certificate that will not do, whether one of ours was asked for, what a port spoke
//! that was to speak TLS, the protocol chosen. HTTP/1.1 goes on through Pingora as ever, HTTP/2
//! through its door for other protocols.

mod certificate;
mod frames;
mod handshake;
mod heard;
mod kernel;
mod latch;
mod line;
mod pool;
mod rest;
mod secured;
mod stream;
mod tap;
mod tcp;
mod tls;
mod verify;
mod wire;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use http::uri::Scheme;
use pingora::Result;
use pingora::connectors::http::custom::{self, Connection};
use pingora::connectors::http::v2::{H2HandshakeSettings, handshake as handshake_http2};
use pingora::protocols::Stream as Transport;
use pingora::upstreams::peer::Peer;
use whodunit_filters::attribution::cause::proxy::PROXY_BUG;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};

use self::frames::Frames;
use self::pool::Pool;
use self::tap::{Tap, Watch};
use self::tls::HTTP2;
use crate::note::{deny, fail_on};

pub(crate) use self::handshake::refused as tls_refused;
pub(crate) use self::kernel::TcpInfo;
pub use self::latch::Latch;
pub use self::line::{Line, Patience, Protocol};
pub(crate) use self::rest::TELLING;
pub use self::stream::Stream;
pub(crate) use self::stream::withdrawal;
pub use self::tls::{Tls, TlsSettings, Unusable};
pub(crate) use self::wire::{Wire, Wires};

/// Makes connections to the peers that a [`Line`] was strung to.
pub struct Connector {
    wires: Arc<Wires>,
    pool: Pool,
}

impl Connector {
    pub(crate) fn new(wires: Arc<Wires>) -> Self {
        Self { wires, pool: Pool::default() }
    }

    async fn connect(&self, peer: &(impl Peer + Sync)) -> Result<Connection<Stream>> {
        let Some((line, patience)) = line::of(peer).await else {
            let failure = Failure::denied(&PROXY_BUG).with(Key::At, "a peer without a line");
            return Err(deny(failure));
        };
        let (socket, wire) =
            tcp::connect(peer.address(), patience.connect, &self.wires).await.map_err(deny)?;
        let (transport, scheme, http2): (Transport, _, _) = match &line.tls {
            None => (Box::new(socket), Scheme::HTTP, line.protocol == Protocol::H2c),
            Some(tls) => {
                let config = match line.protocol {
                    Protocol::Auto => &tls.either,
                    Protocol::Http1 => &tls.http1,
                    Protocol::H2 | Protocol::H2c => &tls.http2,
                };
                let name = peer.sni();
                let secured = handshake::shake(config, name, socket, &wire, patience.tls);
                let secured = secured.await.map_err(|failure| fail_on(wire.clone(), failure))?;
                let chosen = secured.protocol();
                if line.protocol == Protocol::H2 && chosen != Some(HTTP2) {
                    return Err(fail_on(wire, mismatch(chosen)));
                }
                (Box::new(secured), Scheme::HTTPS, chosen == Some(HTTP2))
            }
        };
        if !http2 {
            return Ok(Connection::Stream(match &line.latch {
                Some(latch) => Tap::boxed(transport, Watch::Upgrade(latch.clone())),
                None => transport,
            }));
        }
        wire.http2.store(true, Ordering::Relaxed);
        let tapped = Tap::boxed(transport, Watch::Http2(Frames::new(wire)));
        let mut settings = H2HandshakeSettings::new();
        settings.max_streams = peer.get_peer_options().map_or(1, |options| options.max_h2_streams);
        let connection = handshake_http2(tapped, settings).await?;
        let stream = connection.spawn_stream().await?;
        self.pool.keep(peer.reuse_hash(), connection);
        match stream {
            Some(stream) => Ok(Connection::Session(Stream::new(stream, scheme))),
            None => Err(deny(Failure::new(Side::Origin, Phase::Wait, Fault::GoAway(0)))),
        }
    }
}

/// The origin chose another protocol than the configuration demands.
fn mismatch(chosen: Option<&'static str>) -> Failure {
    Failure::new(Side::Origin, Phase::Tls, Fault::Alpn)
        .with(Key::Offered, HTTP2)
        .with(Key::Selected, chosen.unwrap_or("nothing"))
}

#[async_trait]
impl custom::Connector for Connector {
    type Session = Stream;

    async fn get_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> Result<(Connection<Stream>, bool)> {
        Ok((self.connect(peer).await?, false))
    }

    async fn reused_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> Option<Stream> {
        if !line::multiplexed(peer) {
            return None;
        }
        let stream = self.pool.stream(peer.reuse_hash()).await?;
        let scheme = if peer.tls() { Scheme::HTTPS } else { Scheme::HTTP };
        Some(Stream::new(stream, scheme))
    }

    async fn release_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        session: Stream,
        peer: &P,
        idle_timeout: Option<Duration>,
    ) {
        self.pool.release(peer.reuse_hash(), session.inner, idle_timeout);
    }
}
