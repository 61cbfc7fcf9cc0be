//! The steps to a connection on which HTTP can be spoken: TCP or a Unix socket, TLS, the protocol.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::uri::Scheme;
use pingora::protocols::Stream as Transport;
use pingora::protocols::l4::socket::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};
use whodunit_filters::proxied::Greeting;

use super::goodbye::Words;
use super::line::{Line, Patience, Protocol};
use super::socket::Socket;
use super::tap::{Tap, Watch};
use super::tls::HTTP2;
use super::wire::Wire;
use super::{handshake, tcp};
use crate::stall::Stall;

/// The connection.
pub(super) struct Ready {
    pub(super) transport: Transport,
    pub(super) wire: Arc<Wire>,
    /// `https` where it is secured.
    pub(super) scheme: Scheme,
    /// Whether HTTP/2 is to be spoken.
    pub(super) http2: bool,
}

/// Why there is none.
pub(super) struct Broken {
    pub(super) failure: Failure,
    /// As far as there was a connection.
    pub(super) wire: Option<Arc<Wire>>,
}

/// Connects. `name` is the server name to ask for and to look for in the certificate, or the
/// address; `stall` is how long nothing may be taken of what is written over HTTP/2.
pub(super) async fn reach(
    line: &Line,
    address: &SocketAddr,
    name: &str,
    patience: Patience,
    stall: Duration,
) -> Result<Ready, Broken> {
    let (mut socket, wire) = tcp::connect(address, patience.connect)
        .await
        .map_err(|failure| Broken { failure, wire: None })?;
    if let Some(greeting) = &line.greeting {
        let greeted = greet(&mut socket, greeting, patience.connect).await;
        greeted.map_err(|failure| Broken { failure, wire: Some(wire.clone()) })?;
        wire.greeted.store(true, Ordering::Relaxed);
    }
    let (transport, scheme, http2): (Transport, _, _) = match &line.tls {
        None => (Box::new(socket), Scheme::HTTP, line.protocol == Protocol::H2c),
        Some(tls) => {
            let broken = |failure| Broken { failure, wire: Some(wire.clone()) };
            let config = match line.protocol {
                Protocol::Auto => &tls.either,
                Protocol::Http1 => &tls.http1,
                Protocol::H2 | Protocol::H2c => &tls.http2,
            };
            let secured = handshake::shake(config, name, socket, &wire, patience.tls);
            let secured = secured.await.map_err(broken)?;
            let chosen = secured.protocol();
            if line.protocol == Protocol::H2 && chosen != Some(HTTP2) {
                return Err(broken(mismatch(chosen)));
            }
            (Box::new(secured), Scheme::HTTPS, chosen == Some(HTTP2))
        }
    };
    let transport = if http2 {
        wire.http2.store(true, Ordering::Relaxed);
        let (words, stall) = (Words::new(wire.clone()), Stall::new(stall));
        Tap::boxed(transport, Watch::Http2(words, stall))
    } else if let Some(latch) = &line.latch {
        Tap::boxed(transport, Watch::Upgrade(latch.clone()))
    } else {
        transport
    };
    Ok(Ready { transport, wire, scheme, http2 })
}

/// Tells whose connection it is. It is short enough to wait for nobody, on a connection that
/// carried nothing yet.
async fn greet(socket: &mut Socket, greeting: &Greeting, limit: Duration) -> Result<(), Failure> {
    let fault = match timeout(limit, socket.write_all(greeting.bytes())).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => tcp::broken(&error),
        Err(_elapsed) => Fault::TimedOut,
    };
    let failure = Failure::new(Side::Origin, Phase::Send, fault);
    Err(failure.with(Key::Written, 0_u64).with(Key::Greeted, true))
}

/// The origin chose another protocol than the configuration demands.
fn mismatch(chosen: Option<&'static str>) -> Failure {
    Failure::new(Side::Origin, Phase::Tls, Fault::Alpn)
        .with(Key::Offered, HTTP2)
        .with(Key::Selected, chosen.unwrap_or("nothing"))
}

#[cfg(test)]
mod tests {
    use pingora::protocols::l4::socket::SocketAddr as At;
    use tokio::net::UnixStream;
    use whodunit_filters::attribution::{Attempt, Diagnosis, Exchange, NextHop, RequestId};
    use whodunit_filters::proxied::{Told, Version};

    use super::*;

    #[tokio::test]
    async fn an_origin_that_left_before_the_greeting_broke_the_sending() {
        let (ours, theirs) = UnixStream::pair().expect("two ends");
        drop(theirs);
        let wire = Arc::new(Wire::new(-1, true, 0, Duration::ZERO));
        let at = At::Inet(([127, 0, 0, 1], 80).into());
        let mut socket = Socket::unix(ours, wire, &at);
        let greeting = Greeting::new(Version::V2, Told::Own);
        let greeted = greet(&mut socket, &greeting, Duration::from_secs(5)).await;
        let failure = greeted.expect_err("nobody is there");
        let mut exchange = Exchange::begin(RequestId::new());
        let mut attempt = Attempt::begin(NextHop::Inet(([127, 0, 0, 1], 80).into()));
        attempt.fail(failure);
        exchange.attempt(attempt);
        let verdict = Diagnosis::of(&exchange).expect("it failed");
        assert_eq!((verdict.cause.id, verdict.phase), ("request_write_failed", Phase::Send));
    }
}
