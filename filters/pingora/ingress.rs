//! The socket seam in front of Pingora for HTTP/1.
//!
//! Pingora answers a bad request with a bare 400 and drops a slow one without a word, before any
//! hook is called. An [`Ingress`] reads each request's head itself, under limits and a total time
//! of its own; what is no good request it refuses through its [`Doorman`], and what is one it
//! hands to Pingora behind a gate that lets through just this request.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use pingora::apps::{HttpPersistentSettings, HttpServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{ALPN, SocketDigest, Stream};
use pingora::server::ShutdownWatch;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use whodunit_filters::attribution::cause::proxy::PROXY_OVERLOADED;
use whodunit_filters::attribution::ledger::Use;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};
use whodunit_filters::chain::Peer;
use whodunit_filters::head::{Glimpse, HeadFacts, HeadLimits};

use crate::arrival::{Arrival, ClientFacts, Left, Persisted};
use crate::clients::Seat;
use crate::gate::{Gate, Slot};
use crate::http2;
use crate::linger::{has_more, linger, part};
use crate::reading::{Came, Reader};
use crate::reply::Reply;
use crate::tally::Tally;

/// The rules at the door, as they are at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// How large a head may be.
    pub head: HeadLimits,
    /// The time for a whole head, from its first byte (`timeouts.request_header`, 10 s). A new
    /// connection has as long until its first byte.
    pub request_header: Duration,
    /// How long a connection may lie idle between two requests (`timeouts.keepalive`, 75 s).
    pub keepalive: Duration,
    /// How long a write to the client may make no progress.
    pub write: Duration,
    /// The most requests that one connection may carry; no limit when `None`.
    pub requests: Option<u32>,
    /// The most connections that may be open (`limits.connections`, 20,000); one more is refused.
    pub connections: i64,
}

/// Who sets the rules and answers those that are turned away.
pub(crate) trait Doorman: Send + Sync + 'static {
    /// The rules; asked for each request anew, so it has to be cheap.
    fn rules(&self) -> Rules;

    /// A place for a connection of the client at this address, where those are counted.
    ///
    /// # Errors
    /// The refusal, where it has as many as it may.
    fn admit(&self, _: IpAddr) -> Result<Option<Seat>, Failure> {
        Ok(None)
    }

    /// Whether a peer is a proxy whose word about the client is believed.
    fn trusts(&self, _: Peer) -> bool {
        false
    }

    /// Counts connections into a use, or out of it.
    fn counted(&self, state: Use, change: i64);

    /// How many connections are open, this one included.
    fn open(&self) -> i64;

    /// Records a refusal and makes the whole answer to it, header and body as they go on the wire.
    /// The connection is closed after it, and it must say so. Nothing is sent when it is empty, or
    /// when the refusal is not answerable.
    fn refuse(&self, refusal: Refusal<'_>) -> Bytes;

    /// The same with the answer in its parts, for a stream of HTTP/2.
    fn turn_away(&self, refusal: Refusal<'_>) -> Option<Reply>;

    /// Whether the listener at this address takes HTTP/2 without TLS.
    fn speaks_h2c(&self, local: &SocketAddr) -> bool;
}

/// A request that ended before Pingora got to see it, or in a panic of what it was handed to.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    /// What broke.
    pub failure: Failure,
    /// What can be made out of the head.
    pub head: Glimpse<'a>,
    /// What the socket saw of the client.
    pub client: &'a ClientFacts,
    /// When the first byte of the request was there to be read.
    pub began: Instant,
    /// The socket, with the addresses of both ends.
    pub socket: Option<&'a SocketDigest>,
    /// What leads to the connection's entrance, if it has one.
    pub entrance: Option<&'a ProxyDigest>,
    /// Whether anybody is there to be answered, and has not been answered yet.
    pub answerable: bool,
}

/// A Pingora application behind a door.
pub(crate) struct Ingress<A> {
    app: Arc<A>,
    door: Arc<dyn Doorman>,
}

impl<A: HttpServerApp + Send + Sync + 'static> Ingress<A> {
    /// Puts a door before an application, such as [`pingora::proxy::HttpProxy`].
    pub(crate) fn new(app: Arc<A>, door: Arc<dyn Doorman>) -> Self {
        Self { app, door }
    }

    /// The application.
    pub(crate) fn app(&self) -> &Arc<A> {
        &self.app
    }

    /// Who keeps the door.
    pub(crate) fn door(&self) -> &Arc<dyn Doorman> {
        &self.door
    }

    /// Serves one connection, which was counted when it came, to its end.
    pub(crate) async fn serve(&self, stream: Stream, shutdown: &ShutdownWatch, tally: Tally) {
        let reader = if http2::welcome(&*self.door, &stream) { Reader::open } else { Reader::new };
        let visit = Visit {
            ingress: self,
            shutdown,
            reader: reader(stream, shutdown.clone()),
            slot: Slot::default(),
            requests: 0,
            kept: None,
            persisted: None,
            tally,
        };
        visit.serve().await;
    }

    /// Why one more connection is not served, if there are too many in all or of its client. Where
    /// those of a client are counted, it has its place from here on.
    pub(crate) fn overload(
        &self,
        rules: &Rules,
        socket: Option<&SocketDigest>,
        tally: &mut Tally,
    ) -> Option<Failure> {
        let open = self.door.open();
        if open > rules.connections {
            let overload = Failure::denied(&PROXY_OVERLOADED)
                .with(Key::Open, u64::try_from(open).unwrap_or(0))
                .with(Key::MaxCount, u64::try_from(rules.connections).unwrap_or(0))
                .with(Key::Setting, "limits.connections");
            return Some(overload);
        }
        let Some(SocketAddr::Inet(peer)) = socket.and_then(SocketDigest::peer_addr) else {
            return None;
        };
        tally.seat(|| self.door.admit(peer.ip())).err()
    }

    /// Records what ended a request, and answers it if there is anybody to be answered.
    pub(crate) async fn answer(
        &self,
        stream: Stream,
        head: &[u8],
        failure: Failure,
        client: &ClientFacts,
        answerable: bool,
    ) {
        let (socket, entrance) = (stream.get_socket_digest(), stream.get_proxy_digest());
        let answer = self.door.refuse(Refusal {
            failure,
            head: Glimpse::of(head),
            client,
            began: client.began,
            socket: socket.as_deref(),
            entrance: entrance.as_deref(),
            answerable,
        });
        if answerable && !answer.is_empty() {
            say(&self.door.rules(), stream, &answer).await;
        }
    }
}

/// One connection. What is kept of it while it waits should be small: the futures of what seldom
/// happens have a place of their own only when it does.
struct Visit<'a, A> {
    ingress: &'a Ingress<A>,
    shutdown: &'a ShutdownWatch,
    reader: Reader,
    slot: Slot,
    /// Requests served.
    requests: u32,
    /// What Pingora and the service keep from one request to the next.
    kept: Option<HttpPersistentSettings>,
    persisted: Option<Persisted>,
    tally: Tally,
}

impl<A: HttpServerApp + Send + Sync + 'static> Visit<'_, A> {
    async fn serve(mut self) {
        let rules = self.ingress.door.rules();
        let socket = self.reader.stream().get_socket_digest();
        let overload = self.ingress.overload(&rules, socket.as_deref(), &mut self.tally);
        if let Some(overload) = overload {
            return Box::pin(self.refuse(overload, Instant::now(), None)).await;
        }
        drop(socket);
        if self.reader.stream().selected_alpn_proto() == Some(ALPN::H2) {
            return self.turn_to_http2().await;
        }
        loop {
            let rules = self.ingress.door.rules();
            match self.reader.read(&rules, self.requests == 0).await {
                Came::Nothing => return self.part().await,
                Came::Http2 => return self.turn_to_http2().await,
                Came::Request { head, began } => {
                    if !self.pass(&rules, head, began).await {
                        return;
                    }
                }
                Came::Refusal { failure, began, left } => {
                    return Box::pin(self.refuse(failure, began, left)).await;
                }
            }
            self.requests = self.requests.saturating_add(1);
        }
    }

    /// Says good-bye to whoever might take an end without a word for one that was cut (RFC 8446
    /// section 6.1).
    async fn part(mut self) {
        let (stream, _) = self.reader.take();
        if stream.get_ssl_digest().is_some() {
            Box::pin(part(stream)).await;
        }
    }

    async fn turn_to_http2(self) {
        let Self { ingress, shutdown, mut reader, tally, .. } = self;
        let (app, door) = (&ingress.app, &ingress.door);
        Box::pin(http2::serve(app, door, reader.take(), shutdown, tally)).await;
    }

    /// Hands a request on. Says whether there may be another one.
    async fn pass(&mut self, rules: &Rules, facts: HeadFacts, began: Instant) -> bool {
        let (stream, mut head) = self.reader.take();
        let ahead =
            if head.len() > facts.length { head.split_off(facts.length) } else { BytesMut::new() };
        let client = Arc::new(ClientFacts::new(began));
        client.heard_head(head.len());
        let gate = Gate::new(stream, self.slot.clone(), &facts, ahead, client.clone(), rules.write);
        let mut session = ServerSession::new_http1(Box::new(gate));
        let mut kept = self.kept.take();
        let arrival = Arrival {
            client: client.clone(),
            began,
            headed: Instant::now(),
            shutdown: self.shutdown.clone(),
            inner: kept
                .as_mut()
                .and_then(HttpPersistentSettings::take_user_context)
                .or_else(|| self.persisted.take()),
        };
        if let Some(kept) = kept {
            kept.apply_to_session(&mut session);
        }
        if let Some(most) = rules.requests {
            session.set_keepalive_reuses_remaining(Some(most.saturating_sub(self.requests + 1)));
        }
        session.set_connection_user_context(Some(Box::new(arrival)));
        session.set_pipelined_prefix(head);
        if *self.shutdown.borrow() {
            // A task that has used up its turn would take the shutdown for a reason to drop the
            // request, because reading it seems to take time.
            tokio::task::yield_now().await;
        }
        let served = self.ingress.app.process_new_http(session, self.shutdown);
        self.tally.turn(Use::Active);
        // Given up, a request leaves its answer with the facts when it is dropped.
        let served = tokio::select! {
            biased;
            served = AssertUnwindSafe(served).catch_unwind() => Some(served),
            () = client.expire() => None,
        };
        self.tally.turn(Use::Idle);
        let reused = match served {
            Some(Ok(reused)) => reused,
            Some(Err(_panic)) => {
                Box::pin(self.apologise(&client)).await;
                return false;
            }
            None => {
                if let (Some((stream, _)), Some(words)) = (self.reclaim(), client.words()) {
                    Box::pin(say(rules, stream, &words.bytes())).await;
                }
                return false;
            }
        };
        let reusable = reused.is_some() || client.kept();
        self.persisted = client.persisted().take();
        if let Some(reused) = reused {
            // Dropped, the gate leaves its stream in the slot.
            let (_gate, kept) = reused.consume();
            self.kept = kept;
        }
        let Some((mut stream, ahead)) = self.reclaim() else { return false };
        if reusable {
            self.reader.resume(stream, ahead);
            return true;
        }
        let unread = !client.complete() || !ahead.is_empty() || has_more(&mut stream).await;
        if client.left().is_some() {
            return false;
        }
        if unread {
            Box::pin(linger(stream)).await;
        } else if client.whole() && stream.get_ssl_digest().is_some() {
            Box::pin(part(stream)).await;
        }
        false
    }

    fn reclaim(&self) -> Option<(Stream, BytesMut)> {
        self.slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// What the request was handed to panicked, in a place where nobody else saw it.
    async fn apologise(&self, client: &ClientFacts) {
        let failure = Failure::new(Side::Inside, Phase::Route, Fault::Panic)
            .with(Key::At, "a panic while the request was served");
        let Some((stream, _)) = self.reclaim() else { return };
        let answerable = client.answered().is_none() && client.left().is_none();
        self.ingress.answer(stream, &[], failure, client, answerable).await;
    }

    async fn refuse(mut self, failure: Failure, began: Instant, left: Option<Left>) {
        let (stream, head) = self.reader.take();
        let client = ClientFacts::new(began);
        client.heard_head(head.len());
        if let Some(left) = left {
            client.lost(left);
        }
        // Who speaks HTTP/2 takes an answer of HTTP/1 for broken frames. That nobody was looked at says
        // the end, before any request was read.
        let http2 = stream.selected_alpn_proto() == Some(ALPN::H2);
        self.ingress.answer(stream, &head, failure, &client, left.is_none() && !http2).await;
    }
}

/// Sends the last answer on a connection.
async fn say(rules: &Rules, mut stream: Stream, answer: &[u8]) {
    let write = async {
        stream.write_all(answer).await?;
        stream.flush().await
    };
    if matches!(timeout(rules.write, write).await, Ok(Ok(()))) {
        linger(stream).await;
    }
}

#[cfg(test)]
mod equivalence;
#[cfg(test)]
mod hosted;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod tests;
