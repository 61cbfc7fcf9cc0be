//! The client's connection as Pingora gets to see it: one request at a time.
//!
//! Pingora reads whatever there is, gives up on a request when bytes come after its end, and
//! never looks at the head of a request that came together with the one before. So a gate lets
//! through what belongs to the request, keeps what follows for the next one, and notes what it
//! sees of the client on the way.

mod answer;
mod socket;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pingora::protocols::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;
use whodunit_filters::chunked::Chunked;
use whodunit_filters::head::{Framing, HeadFacts};

use self::answer::Answer;
use crate::arrival::{ClientFacts, Left};

/// The most that is read ahead while a request is under way, in bytes. A client that sends more
/// has to wait for its answers.
const AHEAD_MAX: usize = 64 << 10;
/// The most that is read at once into a buffer of our own.
const PIECE: usize = 4096;

/// Reads what there is, at most [`PIECE`] bytes, and appends it. No memory is held while there is
/// nothing.
pub(crate) fn poll_fill(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    into: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    let mut space = [std::mem::MaybeUninit::uninit(); PIECE];
    let mut piece = ReadBuf::uninit(&mut space);
    ready!(Pin::new(stream).poll_read(cx, &mut piece))?;
    into.extend_from_slice(piece.filled());
    Poll::Ready(Ok(piece.filled().len()))
}

/// Where a gate leaves the connection when Pingora drops it, with what was read ahead.
pub(crate) type Slot = Arc<Mutex<Option<(Stream, BytesMut)>>>;

/// What is left of the request.
#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunked(Chunked),
    /// It is all there.
    Nothing,
    /// Its chunked coding is broken.
    Broken,
    /// The connection speaks another protocol now.
    Everything,
}

/// The client's connection for the time of one request.
pub(crate) struct Gate {
    /// There until the gate is taken apart.
    stream: Option<Stream>,
    slot: Slot,
    ahead: BytesMut,
    rest: Rest,
    upgrade: bool,
    answer: Answer,
    client: Arc<ClientFacts>,
    /// How long a write may make no progress.
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Gate {
    /// A gate for the request with this head; `ahead` is what came after the head.
    pub(crate) fn new(
        stream: Stream,
        slot: Slot,
        head: &HeadFacts,
        ahead: BytesMut,
        client: Arc<ClientFacts>,
        patience: Duration,
    ) -> Self {
        let rest = match head.framing {
            Framing::None => Rest::Nothing,
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunked(Chunked::new()),
        };
        if matches!(rest, Rest::Nothing) {
            client.finished();
        }
        Self {
            stream: Some(stream),
            slot,
            ahead,
            rest,
            upgrade: head.upgrade,
            answer: Answer::default(),
            client,
            patience,
            stalled: None,
        }
    }

    fn stream(&self) -> &Stream {
        self.stream.as_ref().expect("a gate holds its stream until it is dropped")
    }

    fn pin(&mut self) -> Pin<&mut Stream> {
        Pin::new(self.stream.as_mut().expect("a gate holds its stream until it is dropped"))
    }

    /// How many of these bytes belong to the request.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let taken = match &mut self.rest {
            Rest::Everything => bytes.len(),
            Rest::Nothing | Rest::Broken => 0,
            Rest::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                if *left == 0 {
                    self.rest = Rest::Nothing;
                    self.client.finished();
                }
                taken
            }
            Rest::Chunked(chunked) => {
                let scan = chunked.scan(bytes);
                if let Some(rule) = scan.broken {
                    self.client.broke(rule, chunked.taken());
                    self.rest = Rest::Broken;
                } else if scan.done {
                    self.rest = Rest::Nothing;
                    self.client.finished();
                }
                scan.taken
            }
        };
        if taken > 0 {
            self.client.heard(taken);
        }
        taken
    }

    /// Reads for the request: what was read ahead first, then from the connection. What comes
    /// after the request's end stays here.
    fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let mut ahead = std::mem::take(&mut self.ahead);
            let taken = self.take(&ahead[..ahead.len().min(out.remaining())]);
            out.put_slice(&ahead[..taken]);
            ahead.advance(taken);
            self.ahead = ahead;
            return Poll::Ready(self.unbroken(taken));
        }
        let before = out.filled().len();
        match ready!(self.pin().poll_read(cx, out)) {
            Ok(()) if out.filled().len() == before => self.client.lost(Left::Closed),
            Ok(()) => {
                let taken = self.take(&out.filled()[before..]);
                self.ahead.extend_from_slice(&out.filled()[before + taken..]);
                out.set_filled(before + taken);
                return Poll::Ready(self.unbroken(taken));
            }
            Err(error) => {
                self.client.failed(&error);
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// No bytes without an end of the connection can only mean that they are no chunks.
    fn unbroken(&self, taken: usize) -> io::Result<()> {
        if taken == 0 && matches!(self.rest, Rest::Broken) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "broken chunked coding"));
        }
        Ok(())
    }

    /// The request is all there: what comes now is kept for later, and only the end of the
    /// connection is told.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.ahead.len() < AHEAD_MAX {
            let stream = self.stream.as_mut().expect("a gate holds its stream until it is dropped");
            match ready!(poll_fill(stream, cx, &mut self.ahead)) {
                Ok(0) => {
                    self.client.lost(Left::Closed);
                    return Poll::Ready(Ok(()));
                }
                Ok(_) => {}
                Err(error) => {
                    self.client.failed(&error);
                    return Poll::Ready(Err(error));
                }
            }
        }
        // Nobody has to wake this up: the answer's end lets the reading go on.
        Poll::Pending
    }
}

/// What the client sent is nobody's business.
impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            let ahead = std::mem::take(&mut self.ahead);
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((stream, ahead));
        }
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        if out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        match gate.rest {
            Rest::Nothing => gate.poll_end(cx),
            Rest::Broken => Poll::Ready(gate.unbroken(0)),
            Rest::Length(_) | Rest::Chunked(_) | Rest::Everything => {
                let came = gate.poll_request(cx, out);
                gate.client.asked(came.is_pending());
                came
            }
        }
    }
}
