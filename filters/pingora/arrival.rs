//! What is known of the client and of the request's way in, shared between the socket and the
//! request's context.

use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use http::HeaderValue;
use pingora::server::ShutdownWatch;
use whodunit_filters::head::Rule;

use crate::own::Net;
use crate::reply::Reply;

/// How one request came in. Delivered to `ProxyHttp::on_connection_reuse` before any other hook,
/// for the first request of a connection as well.
pub(crate) struct Arrival {
    /// What the socket sees of the client while the request is under way.
    pub client: Arc<ClientFacts>,
    /// When the first byte of the request was there to be read.
    pub began: Instant,
    /// When the last byte of its header section was.
    pub headed: Instant,
    /// Tells that the service shuts down.
    pub shutdown: ShutdownWatch,
    /// What the service kept for the connection (`ProxyHttp::persist_connection_context`).
    pub inner: Option<Persisted>,
}

/// What the socket has seen of the client since the request began. Written by the connection, read
/// by anybody, without a lock.
#[derive(Debug)]
pub(crate) struct ClientFacts {
    pub(crate) began: Instant,
    received: AtomicU64,
    sent: AtomicU64,
    body: AtomicU64,
    last: AtomicU64,
    left: AtomicU8,
    left_at: AtomicU64,
    complete: AtomicBool,
    awaited: AtomicBool,
    /// Microseconds that writes to the client have waited, and since when one waits, plus one.
    held_up: AtomicU64,
    held_since: AtomicU64,
    answered: AtomicU16,
    broken: OnceLock<(Rule, u64)>,
    deadline: OnceLock<tokio::time::Instant>,
    armed: AtomicWaker,
    expired: AtomicBool,
    kept: AtomicBool,
    whole: AtomicBool,
    persisted: Mutex<Option<Persisted>>,
    words: OnceLock<Reply>,
    /// The origin's `Date`, which Pingora replaces by its own.
    pub(crate) dated: OnceLock<HeaderValue>,
    /// For an answer that the service writes by itself.
    pub(crate) net: Net,
}

/// What a service keeps for a client's connection from one request to the next.
pub(crate) type Persisted = Box<dyn Any + Send + Sync>;

/// How a client went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It closed its side in good order (FIN).
    Closed,
    /// It reset the connection (RST).
    Reset,
    /// It did not read what was sent to it for the whole time allowed.
    Stalled,
}

impl ClientFacts {
    /// Nothing seen yet of a request that began then.
    #[must_use]
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            body: AtomicU64::new(0),
            last: AtomicU64::new(0),
            left: AtomicU8::new(0),
            left_at: AtomicU64::new(0),
            complete: AtomicBool::new(false),
            awaited: AtomicBool::new(false),
            held_up: AtomicU64::new(0),
            held_since: AtomicU64::new(0),
            answered: AtomicU16::new(0),
            broken: OnceLock::new(),
            deadline: OnceLock::new(),
            armed: AtomicWaker::new(),
            expired: AtomicBool::new(false),
            kept: AtomicBool::new(false),
            whole: AtomicBool::new(false),
            persisted: Mutex::new(None),
            words: OnceLock::new(),
            dated: OnceLock::new(),
            net: Net::default(),
        }
    }

    /// Bytes that came for this request: header section and body as on the wire (inside TLS).
    #[must_use]
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that were handed to the client's socket since the request began.
    #[must_use]
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes of the body that came, as on the wire: with the chunks' own lines, if it is chunked.
    #[must_use]
    pub(crate) fn body(&self) -> u64 {
        self.body.load(Ordering::Relaxed)
    }

    /// Whether the whole request came.
    #[must_use]
    pub(crate) fn complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// How long the client has sent nothing.
    #[must_use]
    pub(crate) fn silent(&self) -> Duration {
        let last = Duration::from_micros(self.last.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }

    /// Whether it is the client's turn: more of the request was asked for, and nothing is there.
    pub(crate) fn awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed)
    }

    /// Whether and how the client went away, and how long after the request began that was seen.
    #[must_use]
    pub(crate) fn left(&self) -> Option<(Left, Duration)> {
        let left = match self.left.load(Ordering::Acquire) {
            0 => return None,
            1 => Left::Closed,
            2 => Left::Reset,
            _ => Left::Stalled,
        };
        Some((left, Duration::from_micros(self.left_at.load(Ordering::Relaxed))))
    }

    /// The final status that the client was sent, as soon as its header is on the way.
    #[must_use]
    pub(crate) fn answered(&self) -> Option<u16> {
        Some(self.answered.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }

    /// The rule that the body's chunked coding breaks, and where, in bytes from the body's start.
    #[must_use]
    pub(crate) fn broken(&self) -> Option<(Rule, u64)> {
        self.broken.get().copied()
    }

    /// The answer has to be complete by then; only the first deadline counts.
    pub(crate) fn limit(&self, deadline: Instant) {
        if self.deadline.set(deadline.into()).is_ok() {
            self.armed.wake();
        }
    }

    /// Waits until the deadline, if there ever is one, is over.
    pub(crate) async fn expire(&self) {
        let set = poll_fn(|cx| {
            if self.deadline.get().is_none() {
                // It may be set in between.
                self.armed.register(cx.waker());
            }
            self.deadline.get().map_or(Poll::Pending, |deadline| Poll::Ready(*deadline))
        });
        tokio::time::sleep_until(set.await).await;
        self.expired.store(true, Ordering::Release);
    }

    /// Whether the deadline is over and the request was given up.
    pub(crate) fn expired(&self) -> bool {
        self.expired.load(Ordering::Acquire)
    }

    /// The answer is whole, and another request may follow it, whatever Pingora makes of the
    /// connection.
    pub(crate) fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }

    /// Whether that is so.
    pub(crate) fn kept(&self) -> bool {
        self.kept.load(Ordering::Acquire)
    }

    /// The answer was not broken off.
    pub(crate) fn round_off(&self) {
        self.whole.store(true, Ordering::Release);
    }

    /// Whether that is so.
    pub(crate) fn whole(&self) -> bool {
        self.whole.load(Ordering::Acquire)
    }

    /// What the service keeps for the connection, where Pingora does not ask for it.
    pub(crate) fn persisted(&self) -> MutexGuard<'_, Option<Persisted>> {
        self.persisted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the answer to a request that was given up.
    pub(crate) fn leave(&self, answer: Reply) {
        // A request is given up once.
        let _ = self.words.set(answer);
    }

    /// The answer to a request that was given up.
    pub(crate) fn words(&self) -> Option<&Reply> {
        self.words.get()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Bytes of the header section came.
    pub(crate) fn heard_head(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// Bytes of the body came.
    pub(crate) fn heard(&self, bytes: usize) {
        self.body.fetch_add(bytes as u64, Ordering::Relaxed);
        self.heard_head(bytes);
    }

    pub(crate) fn finished(&self) {
        self.complete.store(true, Ordering::Release);
    }

    /// More of the request was asked for; whether there is nothing to read as yet.
    pub(crate) fn asked(&self, nothing: bool) {
        self.awaited.store(nothing, Ordering::Relaxed);
    }

    /// A write to the client was tried; whether it has to wait.
    pub(crate) fn wrote(&self, waits: bool) {
        let since = self.held_since.load(Ordering::Relaxed);
        if waits && since == 0 {
            self.held_since.store(self.now() + 1, Ordering::Relaxed);
        } else if !waits && since != 0 {
            self.held_up.fetch_add((self.now() + 1).saturating_sub(since), Ordering::Relaxed);
            self.held_since.store(0, Ordering::Relaxed);
        }
    }

    /// How long in all the answer had to wait because the client did not read.
    pub(crate) fn held_up(&self) -> Duration {
        let before = self.held_up.load(Ordering::Relaxed);
        let now = match self.held_since.load(Ordering::Relaxed) {
            0 => 0,
            since => (self.now() + 1).saturating_sub(since),
        };
        Duration::from_micros(before + now)
    }

    pub(crate) fn told(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn answering(&self, status: u16) {
        self.answered.store(status, Ordering::Relaxed);
    }

    pub(crate) fn broke(&self, rule: Rule, offset: u64) {
        // Only the first rule counts: nothing is read after it.
        let _ = self.broken.set((rule, offset));
    }

    /// The client is gone; only the first sign of it counts.
    pub(crate) fn lost(&self, left: Left) {
        if self.left.load(Ordering::Relaxed) == 0 {
            self.left_at.store(self.now(), Ordering::Relaxed);
            let code = match left {
                Left::Closed => 1,
                Left::Reset => 2,
                Left::Stalled => 3,
            };
            self.left.store(code, Ordering::Release);
        }
    }

    /// The connection failed.
    pub(crate) fn failed(&self, error: &io::Error) {
        self.lost(Left::of(error));
    }
}

impl Left {
    /// What an error of the connection tells. TLS calls an end without good-bye an unexpected one.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            io::ErrorKind::TimedOut => Self::Stalled,
            _ => Self::Reset,
        }
    }

    /// The word for it in the evidence.
    #[must_use]
    pub(crate) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Closed => Some("closed"),
            Self::Reset => Some("reset"),
            Self::Stalled => None,
        }
    }
}
