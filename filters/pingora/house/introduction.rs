//! Whose connection it is, as a proxy in front tells by the PROXY protocol before anything else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use pingora::apps::HttpServerApp;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::server::ShutdownWatch;
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout_at};
use whodunit_filters::attribution::cause::client::CLIENT_PROXY_PROTOCOL_INVALID;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};
use whodunit_filters::chain::Peer;
use whodunit_filters::proxied::{self, Flaw, Reading, Told};

use super::caller::Caller;
use super::listener::InForce;
use super::plain::Plain;
use crate::arrival::{ClientFacts, Left};
use crate::ingress::Ingress;
use crate::listeners;

/// How long the header may be on its way when the service shuts down.
const GRACE: Duration = Duration::from_millis(500);
/// How much is read at a time.
const PIECE: usize = 1_024;
/// What is mostly sent instead.
const HTTP: &str = "HTTP";

/// A connection that is to be introduced.
pub(super) struct Introduction<'a, A> {
    pub(super) ingress: &'a Ingress<A>,
    pub(super) terms: &'a Arc<InForce>,
}

/// Why there is no header.
enum Amiss {
    /// Nobody was there, or nobody is to be served any more: nothing to speak of.
    Nothing,
    Flawed(Flaw),
    Left(Left),
    Late,
}

impl<A: HttpServerApp + Send + Sync + 'static> Introduction<'_, A> {
    /// The connection with the addresses that it was introduced with, and its terms. From a peer that
    /// is no trusted proxy nothing is read. `None` when it was refused.
    pub(super) async fn hear(
        &self,
        mut plain: Plain,
        stop: &ShutdownWatch,
    ) -> Option<(Plain, Arc<InForce>)> {
        let address = plain.addresses.peer_addr().cloned();
        let peer = match &address {
            Some(SocketAddr::Inet(address)) => Peer::Inet(*address),
            Some(SocketAddr::Unix(_)) | None => Peer::Unix,
        };
        if !self.ingress.door().trusts(peer) {
            return Some((plain, self.terms.clone()));
        }
        let began = Instant::now();
        let mut bytes = BytesMut::new();
        match self.read(&mut plain, &mut bytes, stop).await {
            Ok((told, length)) => {
                plain.unread(bytes.split_off(length).freeze());
                let Told::Client { from, to } = told else {
                    return Some((plain, self.terms.clone()));
                };
                let proxy = address.as_ref().map(listeners::address).unwrap_or_default();
                plain.introduce(from, to);
                Some((plain, Arc::new(self.terms.told_by(proxy.into()))))
            }
            Err(amiss) => {
                self.refuse(plain, amiss, &bytes, began).await;
                None
            }
        }
    }

    fn limit(&self) -> Duration {
        self.ingress.door().rules().request_header
    }

    async fn read(
        &self,
        plain: &mut Plain,
        bytes: &mut BytesMut,
        stop: &ShutdownWatch,
    ) -> Result<(Told, usize), Amiss> {
        let until = tokio::time::Instant::now() + self.limit();
        let mut stop = stop.clone();
        let stopped = async {
            let _ = stop.wait_for(|stopped| *stopped).await;
            sleep(GRACE).await;
        };
        let heard = async {
            loop {
                match proxied::read(bytes) {
                    Reading::Complete { told, length } => return Ok((told, length)),
                    Reading::Refused(flaw) => return Err(Amiss::Flawed(flaw)),
                    Reading::Partial => {}
                }
                bytes.reserve(PIECE);
                match timeout_at(until, plain.read_buf(bytes)).await {
                    Ok(Ok(1..)) => {}
                    _ if bytes.is_empty() => return Err(Amiss::Nothing),
                    Ok(Ok(0)) => return Err(Amiss::Left(Left::Closed)),
                    Ok(Err(error)) => return Err(Amiss::Left(Left::of(&error))),
                    Err(_elapsed) => return Err(Amiss::Late),
                }
            }
        };
        tokio::select! {
            biased;
            heard = heard => heard,
            () = stopped => Err(Amiss::Nothing),
        }
    }

    async fn refuse(&self, plain: Plain, amiss: Amiss, bytes: &[u8], began: Instant) {
        let broken = |fault| Failure::new(Side::Client, Phase::Request, fault);
        let (failure, left) = match amiss {
            Amiss::Nothing => return,
            Amiss::Flawed(flaw) => {
                let failure = Failure::denied(&CLIENT_PROXY_PROTOCOL_INVALID);
                let failure = failure.with(Key::Rule, flaw.as_str());
                match looks_like(bytes) {
                    Some(protocol) => (failure.with(Key::LooksLike, protocol), None),
                    None => (failure, None),
                }
            }
            Amiss::Left(left) => {
                let fault = if left == Left::Closed { Fault::Closed } else { Fault::Reset };
                let failure = broken(fault)
                    .with(Key::WaitedMs, began.elapsed())
                    .with(Key::During, Phase::Request.as_str());
                let word = left.word().unwrap_or_default();
                (failure.with(Key::Left, word), Some(left))
            }
            Amiss::Late => {
                let failure = broken(Fault::TimedOut)
                    .with(Key::Part, "PROXY protocol header")
                    .with(Key::LimitMs, self.limit())
                    .with(Key::Setting, "timeouts.request_header");
                (failure, None)
            }
        };
        let client = ClientFacts::new(began);
        client.heard_head(bytes.len());
        if let Some(left) = left {
            client.lost(left);
        }
        // Where TLS is to be spoken, nothing of ours can be read.
        let answerable = self.terms.tls.is_none() && left.is_none();
        // A header that is broken is no request.
        let head = if looks_like(bytes) == Some(HTTP) { bytes } else { &[] };
        let caller = Box::new(Caller::plain(plain, self.terms.digest.clone()));
        self.ingress.answer(caller, head, failure, &client, answerable).await;
    }
}

/// What was sent instead of a header, if that is known.
fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let http = [&b" HTTP/1.1"[..], b" HTTP/1.0", b"PRI * HTTP/2.0"];
    if http.iter().any(|end| line.ends_with(end)) {
        Some(HTTP)
    } else {
        bytes.starts_with(&[0x16, 0x03]).then_some("TLS")
    }
}
