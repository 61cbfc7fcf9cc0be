//! One request of an HTTP/2 connection, from its header section to the end of its answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use h2::RecvStream;
use h2::server::SendResponse;
use pingora::apps::HttpServerApp;
use pingora::http::RequestHeader;
use pingora::protocols::Digest;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use tokio::sync::Notify;
use tokio::time::timeout;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};
use whodunit_filters::head::Glimpse;

use super::request;
use super::room::Room;
use super::session::Session;
use super::stream::{Slot, Stream, reclaim};
use crate::arrival::{Arrival, ClientFacts};
use crate::ingress::{Doorman, Refusal, Rules};
use crate::reply::Reply;

/// What is needed to serve one request.
pub(super) struct Turn<A> {
    pub(super) app: Arc<A>,
    pub(super) door: Arc<dyn Doorman>,
    pub(super) shutdown: ShutdownWatch,
    pub(super) room: Arc<Room>,
    pub(super) digest: Arc<Digest>,
    pub(super) facts: Arc<ClientFacts>,
    pub(super) _active: Guard,
    pub(super) rules: Rules,
    pub(super) stream: u32,
}

/// What stands in a request's extensions until `Attributed` takes it: Pingora hands nothing else
/// from a session of HTTP/2 to the hooks.
#[derive(Clone)]
struct Handed(Arc<Delivery>);

struct Delivery {
    arrival: Arrival,
    refusal: Option<Failure>,
}

/// What came with a request of HTTP/2: how it arrived, and why it is refused if it is.
pub(crate) fn handed(request: &mut RequestHeader) -> Option<(Arrival, Option<Failure>)> {
    let Handed(delivery) = request.extensions_mut().remove()?;
    let Delivery { arrival, refusal } = Arc::into_inner(delivery)?;
    Some((arrival, refusal))
}

impl<A: HttpServerApp + Send + Sync + 'static> Turn<A> {
    pub(super) async fn serve(
        self,
        request: http::Request<RecvStream>,
        answer: SendResponse<Bytes>,
    ) {
        let (parts, body) = request.into_parts();
        let request::Head { mut header, refusal, length } = request::head(parts, &self.rules.head);
        let facts = &self.facts;
        facts.heard_head(length);
        if body.is_end_stream() {
            facts.finished();
        }
        let arrival = Arrival {
            client: facts.clone(),
            began: facts.began,
            headed: Instant::now(),
            shutdown: self.shutdown.clone(),
            inner: None,
        };
        header.extensions_mut().insert(Handed(Arc::new(Delivery { arrival, refusal })));
        let slot = Slot::default();
        let stream = Stream::new(body, answer, facts.clone());
        let session =
            Session::new(header, stream, slot.clone(), facts.clone(), self.digest.clone());
        let session = ServerSession::new_custom(Box::new(session));
        let served = self.app.process_new_http(session, &self.shutdown);
        // Given up, a request leaves its answer with the facts when it is dropped.
        let served = tokio::select! {
            biased;
            served = AssertUnwindSafe(served).catch_unwind() => Some(served),
            () = facts.expire() => None,
        };
        if let Some(mut stream) = reclaim(&slot) {
            match served {
                Some(Ok(_)) => {}
                Some(Err(_panic)) => {
                    if let Some(reply) = self.apologise() {
                        self.say(&mut stream, &reply).await;
                    }
                }
                None => {
                    if let Some(words) = facts.words() {
                        self.say(&mut stream, words).await;
                    }
                }
            }
            if let Some(given) = stream.begun() {
                let _ = timeout(self.rules.write, self.room.went(self.stream, given)).await;
            }
            stream.abandon();
        }
        self.room.leave(self.stream);
    }

    /// What the request was handed to panicked, in a place where nobody else saw it.
    fn apologise(&self) -> Option<Reply> {
        let failure = Failure::new(Side::Inside, Phase::Route, Fault::Panic)
            .with(Key::At, "a panic while the request was served");
        self.door.turn_away(Refusal {
            failure,
            head: Glimpse::hidden("HTTP/2"),
            client: &self.facts,
            began: self.facts.began,
            socket: self.digest.socket_digest.as_deref(),
            entrance: self.digest.proxy_digest.as_deref(),
            answerable: self.facts.answered().is_none() && self.facts.left().is_none(),
        })
    }

    /// Sends an answer that was made when the session was gone.
    async fn say(&self, stream: &mut Stream, reply: &Reply) {
        let (head, body) = reply.response().into_parts();
        let head = http::Response::from_parts(head, ());
        if stream.begin(head, body.is_empty()).is_ok() {
            // A client that does not take it is reset, as it would be for any other answer.
            let _ = stream.write(body, true, Some(self.rules.write)).await;
        }
    }
}

/// The requests under way.
#[derive(Debug, Default)]
pub(super) struct Active {
    count: AtomicUsize,
    ended: Notify,
}

/// One of them, as long as it is.
pub(super) struct Guard(Arc<Active>);

impl Active {
    pub(super) fn begin(self: &Arc<Self>) -> Guard {
        self.count.fetch_add(1, Ordering::Relaxed);
        Guard(self.clone())
    }

    pub(super) fn none(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Waits for the end of the last one.
    pub(super) async fn ended(&self) {
        loop {
            self.ended.notified().await;
            if self.none() {
                return;
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_one();
        }
    }
}
