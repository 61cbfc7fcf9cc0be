//! Connections to origins, made by ourselves: Pingora has closed a connection, and forgotten why,
//! by the time it tells that it broke.
//!
//! A [`Line`] says what an upstream's connections are like; the [`Connector`] of an attributed
//! service makes them. What it learns on the way is evidence: the kernel's counters of unanswered
//! packets, the certificate that will not do, whether one of ours was asked for, what a port spoke
//! that was to speak TLS, the protocol chosen. HTTP/1.1 goes on through Pingora as ever, HTTP/2
//! through its door for other protocols.

mod body;
mod certificate;
mod goodbye;
mod handshake;
mod heard;
mod idle;
mod kernel;
mod latch;
mod letter;
mod line;
mod look;
mod pace;
mod pool;
mod reach;
mod rest;
mod secured;
mod socket;
mod stream;
mod tap;
mod tcp;
mod tls;
mod verify;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::uri::Scheme;
use pingora::connectors::http::custom::{self, Connection};
use pingora::connectors::http::v2::{H2HandshakeSettings, handshake as handshake_http2};
use pingora::protocols::Stream as Transport;
use pingora::upstreams::peer::{Peer, PeerOptions};
use pingora::{Error, Result};
use whodunit_filters::attribution::cause::proxy::PROXY_BUG;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};

use self::idle::Idle;
use self::pool::Pool;
use self::reach::{Broken, Ready};
use self::tap::{Tap, Watch};
use crate::note::{deny, fail_on};
use crate::observe::{self, Moment};

pub(crate) use self::body::withdrawal;
pub(crate) use self::handshake::refused as tls_refused;
pub(crate) use self::kernel::TcpInfo;
pub use self::latch::Latch;
pub use self::line::{Line, Patience, Protocol};
pub use self::look::{Look, Question, look};
pub(crate) use self::rest::TELLING;
pub use self::stream::Stream;
pub use self::tls::{Tls, TlsSettings, Unusable};
pub(crate) use self::wire::Wire;

/// How much of an answer an origin may send ahead of its being passed on, in bytes. As a connection's
/// window is that of all its streams, a client that does not read cannot hold up another.
const WINDOW: u32 = 512 << 10;

/// Makes connections to the peers that a [`Line`] was strung to.
#[derive(Default)]
pub struct Connector {
    pool: Pool,
    idle: Idle,
}

impl Connector {
    async fn connect(&self, peer: &(impl Peer + Sync)) -> Result<Connection<Stream>> {
        let Some((line, patience)) = line::of(peer).await else {
            let failure = Failure::denied(&PROXY_BUG).with(Key::At, "a peer without a line");
            return Err(deny(failure));
        };
        let reached = reach::reach(&line, peer.address(), peer.sni(), patience, stalls(peer));
        let Ready { transport, wire, scheme, http2 } =
            reached.await.map_err(|Broken { failure, wire }| match wire {
                Some(wire) => fail_on(wire, failure),
                None => deny(failure),
            })?;
        if !http2 {
            let upgrade = line.latch.is_some();
            let kept = if upgrade { transport } else { self.kept(transport, wire, peer) };
            return Ok(Connection::Stream(kept));
        }
        let mut settings = H2HandshakeSettings::new();
        let streams = peer.get_peer_options().map_or(1, |options| options.max_h2_streams);
        settings.max_streams = streams;
        settings.stream_window_size = Some(WINDOW);
        let all = u32::try_from(streams).unwrap_or(u32::MAX).saturating_mul(WINDOW);
        settings.connection_window_size = Some(all.min(i32::MAX.unsigned_abs()));
        let opened = async {
            let connection = handshake_http2(transport, settings).await?;
            let stream = connection.spawn_stream().await?;
            Ok((connection, stream))
        };
        let (connection, stream) =
            opened.await.map_err(|error| fail_on(wire.clone(), unopened(error)))?;
        if let Some(patience) = peer.idle_timeout().filter(|_| line::multiplexed(peer)) {
            self.pool.keep(peer.reuse_hash(), connection, &wire, patience);
        }
        match stream {
            Some(stream) => Ok(Connection::Session(Stream::new(stream, wire, scheme))),
            None => Err(fail_on(wire, Failure::new(Side::Origin, Phase::Wait, Fault::GoAway(0)))),
        }
    }

    /// A connection of HTTP/1.1 that rests here when a request is done with it.
    fn kept(&self, transport: Transport, wire: Arc<Wire>, peer: &impl Peer) -> Transport {
        let patience = peer.idle_timeout().unwrap_or(Duration::MAX);
        wire.sign();
        Tap::boxed(transport, Watch::Kept(self.idle.berth(peer.reuse_hash(), wire, patience)))
    }
}

/// How long nothing may be taken of what is written to a connection that requests share: by then
/// each of them has met with its own limit.
fn stalls(peer: &impl Peer) -> Duration {
    let options = peer.get_peer_options();
    let limit = |of: fn(&PeerOptions) -> Option<Duration>| {
        options.and_then(of).unwrap_or(Duration::from_mins(1))
    };
    limit(|options| options.write_timeout).saturating_add(limit(|options| options.read_timeout))
}

/// The origin broke a connection of HTTP/2 off, or answered in another protocol, before a request
/// could be put on it.
fn unopened(mut error: Box<Error>) -> Failure {
    error.as_up();
    let moment =
        Moment { connecting: false, request_sent: true, answered: false, responding: false };
    observe::failure(&error, moment)
}

#[async_trait]
impl custom::Connector for Connector {
    type Session = Stream;

    async fn get_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> Result<(Connection<Stream>, bool)> {
        if let Some((transport, wire)) = self.idle.take(peer.reuse_hash()) {
            // Pingora does not look at the second part for a connection of HTTP/1.1; the wire knows.
            return Ok((Connection::Stream(self.kept(transport, wire, peer)), true));
        }
        Ok((self.connect(peer).await?, false))
    }

    async fn reused_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> Option<Stream> {
        if !line::multiplexed(peer) {
            return None;
        }
        let (stream, wire) = self.pool.stream(peer.reuse_hash()).await?;
        let scheme = if peer.tls() { Scheme::HTTPS } else { Scheme::HTTP };
        Some(Stream::new(stream, wire, scheme))
    }

    async fn release_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        session: Stream,
        peer: &P,
        _: Option<Duration>,
    ) {
        self.pool.release(peer.reuse_hash(), session.inner, &session.wire);
    }
}
