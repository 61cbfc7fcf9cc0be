//! Reads the heads of requests from a client's connection.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use pingora::protocols::Stream;
use pingora::server::ShutdownWatch;
use tokio::time::{sleep, timeout_at};
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};
use whodunit_filters::head::{Head, HeadFacts, Inspection};

use crate::alarm::Alarm;
use crate::arrival::Left;
use crate::gate::poll_fill;
use crate::http2::{Opening, opening};
use crate::ingress::Rules;

/// How long a connection that has carried no request yet is waited for when the service shuts
/// down: its first request may be on the way.
const GRACE: Duration = Duration::from_millis(500);

/// What came.
pub(crate) enum Came {
    /// Nothing to speak of: the connection is to be closed without a word.
    Nothing,
    /// The preface of HTTP/2.
    Http2,
    /// The head of a good request.
    Request { head: HeadFacts, began: Instant },
    /// The beginning of a request that is none, or that did not go on.
    Refusal { failure: Failure, began: Instant, left: Option<Left> },
}

/// A client's connection between two requests.
pub(crate) struct Reader {
    /// There until it is taken.
    stream: Option<Stream>,
    bytes: BytesMut,
    shutdown: ShutdownWatch,
    /// HTTP/2 may come.
    open: bool,
    /// The end of the wait for a request's first byte. It stays from one request to the next, as
    /// does what tells of the shutdown: setting them up costs more than looking at them.
    alarm: Alarm,
    closing: Option<Closing>,
}

/// Resolves when an idle connection is to be closed because the service shuts down.
type Closing = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

impl Reader {
    pub(crate) fn new(stream: Stream, shutdown: ShutdownWatch) -> Self {
        Self {
            stream: Some(stream),
            bytes: BytesMut::new(),
            shutdown,
            open: false,
            alarm: Alarm::default(),
            closing: None,
        }
    }

    /// A connection that may begin with the preface of HTTP/2.
    pub(crate) fn open(stream: Stream, shutdown: ShutdownWatch) -> Self {
        Self { open: true, ..Self::new(stream, shutdown) }
    }

    /// The connection.
    pub(crate) fn stream(&self) -> &Stream {
        self.stream.as_ref().expect("what is taken is given back first")
    }

    /// The connection is back from a request, with what was read after it.
    pub(crate) fn resume(&mut self, stream: Stream, bytes: BytesMut) {
        self.stream = Some(stream);
        self.bytes = bytes;
        self.open = false;
    }

    /// The connection and what was read of it.
    pub(crate) fn take(&mut self) -> (Stream, BytesMut) {
        let stream = self.stream.take().expect("what is taken is given back first");
        (stream, std::mem::take(&mut self.bytes))
    }

    /// Reads the head of the next request; of the first one, if the connection is `fresh`.
    pub(crate) async fn read(&mut self, rules: &Rules, fresh: bool) -> Came {
        if !self.begin(rules, fresh).await {
            return Came::Nothing;
        }
        let began = Instant::now();
        let until = tokio::time::Instant::now() + rules.request_header;
        let mut head = Head::new();
        loop {
            let opening = if self.open { opening(&self.bytes) } else { Opening::Other };
            let inspection = match opening {
                Opening::Http2 => return Came::Http2,
                Opening::Begun => Inspection::Partial,
                Opening::Other => head.inspect(&self.bytes, &rules.head),
            };
            match inspection {
                Inspection::Complete(head) => return Came::Request { head, began },
                Inspection::Refused(failure) => {
                    return Came::Refusal { failure, began, left: None };
                }
                Inspection::Partial => {}
            }
            let fault = match timeout_at(until, self.fill()).await {
                Ok(Ok(1..)) => continue,
                Ok(Ok(0)) => Some(Left::Closed),
                Ok(Err(error)) => Some(Left::of(&error)),
                Err(_elapsed) => None,
            };
            return self.stopped(rules, fault, began);
        }
    }

    /// Waits for the first byte of a request.
    async fn begin(&mut self, rules: &Rules, fresh: bool) -> bool {
        let patience = if fresh { rules.request_header } else { rules.keepalive };
        let until = tokio::time::Instant::now() + patience;
        let mut again = false;
        while self.is_blank() {
            // A client that sends one empty line after another is always ready.
            if again && tokio::time::Instant::now() >= until {
                return false;
            }
            again = true;
            if !matches!(poll_fn(|cx| self.poll_first(cx, until, fresh)).await, Ok(1..)) {
                return false;
            }
        }
        if fresh {
            // From now on there is no grace.
            self.closing = None;
        }
        true
    }

    /// Reads what there is; nothing if the wait is over.
    fn poll_first(
        &mut self,
        cx: &mut Context<'_>,
        until: tokio::time::Instant,
        fresh: bool,
    ) -> Poll<io::Result<usize>> {
        let stream = self.stream.as_mut().expect("it is not taken while it is read");
        if let Poll::Ready(filled) = poll_fill(stream, cx, &mut self.bytes) {
            return Poll::Ready(filled);
        }
        let shutdown = &self.shutdown;
        let closing =
            self.closing.get_or_insert_with(|| Box::pin(closing(shutdown.clone(), fresh)));
        if closing.as_mut().poll(cx).is_ready() || self.alarm.poll(cx, until).is_ready() {
            return Poll::Ready(Ok(0));
        }
        Poll::Pending
    }

    /// Drops empty lines (RFC 9112 section 2.2), and tells whether nothing else has come.
    fn is_blank(&mut self) -> bool {
        while self.bytes.starts_with(b"\r\n") {
            self.bytes.advance(2);
        }
        if self.bytes.is_empty() {
            // An idle connection holds no memory.
            self.bytes = BytesMut::new();
        }
        matches!(&self.bytes[..], b"" | b"\r")
    }

    async fn fill(&mut self) -> io::Result<usize> {
        let stream = self.stream.as_mut().expect("it is not taken while it is read");
        poll_fn(|cx| poll_fill(stream, cx, &mut self.bytes)).await
    }

    /// A head that did not go on: the client left, or its time ran out.
    fn stopped(&self, rules: &Rules, left: Option<Left>, began: Instant) -> Came {
        let fault = match left {
            Some(Left::Closed) => Fault::Closed,
            Some(Left::Reset) => Fault::Reset,
            Some(Left::Stalled) | None => Fault::TimedOut,
        };
        let mut failure = Failure::new(Side::Client, Phase::Request, fault)
            .with(Key::Part, "header")
            .with(Key::BytesSoFar, self.bytes.len());
        if left.is_none() {
            failure = failure
                .with(Key::LimitMs, rules.request_header)
                .with(Key::Setting, "timeouts.request_header");
        } else {
            failure = failure
                .with(Key::WaitedMs, began.elapsed())
                .with(Key::During, Phase::Request.as_str());
            if let Some(word) = left.and_then(Left::word) {
                failure = failure.with(Key::Left, word);
            }
        }
        Came::Refusal { failure, began, left }
    }
}

async fn closing(mut shutdown: ShutdownWatch, fresh: bool) {
    if shutdown.wait_for(|closing| *closing).await.is_err() {
        // Nobody is left who could ask for it.
        pending::<()>().await;
    }
    if fresh {
        sleep(GRACE).await;
    }
}
