//! One stream of an HTTP/2 connection: reading and writing under time limits, with an eye on the
//! client.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use pingora::{Error, ErrorType, Result};
use tokio::time::timeout;
use whodunit_filters::head::Rule;

use super::visit::broken;
use crate::arrival::{ClientFacts, Left};

/// A stream from the server's end.
pub(super) struct Stream {
    body: RecvStream,
    answer: SendResponse<Bytes>,
    /// There once the answer's header section went out.
    out: Option<SendStream<Bytes>>,
    facts: Arc<ClientFacts>,
    /// The request's body was read to its end.
    read: bool,
    /// The answer is complete.
    ended: bool,
    /// How much of the answer the codec was given: 1 for its header section, and its body's bytes.
    given: u64,
    /// Since when the client is waited for.
    asked: Option<Instant>,
}

/// Where a session leaves its stream when Pingora drops it.
pub(super) type Slot = Arc<Mutex<Option<Stream>>>;

/// Takes out what was left there.
pub(super) fn reclaim(slot: &Slot) -> Option<Stream> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Stream {
    pub(super) fn new(
        body: RecvStream,
        answer: SendResponse<Bytes>,
        facts: Arc<ClientFacts>,
    ) -> Self {
        Self { body, answer, out: None, facts, read: false, ended: false, given: 0, asked: None }
    }

    /// Whether the whole body was read.
    pub(super) fn drained(&self) -> bool {
        self.read || self.body.is_end_stream()
    }

    /// The next piece of the request's body; `None` at its end, after which trailers may come: they
    /// are dropped, as HTTP/1 knows none that anybody reads.
    pub(super) async fn read(&mut self, limit: Option<Duration>) -> Result<Option<Bytes>> {
        if self.drained() {
            return Ok(None);
        }
        // Kept when the reading is given up for a while, because something else happened.
        let asked = *self.asked.get_or_insert_with(Instant::now);
        let came = loop {
            let silent = asked.elapsed().min(self.facts.silent());
            let Some(limit) = limit else { break poll_fn(|cx| self.poll_piece(cx)).await };
            let left = limit.saturating_sub(silent);
            if let Ok(came) = timeout(left, poll_fn(|cx| self.poll_piece(cx))).await {
                break came;
            }
            // A frame is delivered whole: while it is under way, the client is not silent.
            if asked.elapsed().min(self.facts.silent()) >= limit {
                let context = "the client sends no more of its request";
                return Err(Error::explain(ErrorType::ReadTimedout, context));
            }
        };
        self.asked = None;
        match came {
            None => {
                self.read = true;
                Ok(None)
            }
            Some(Ok(piece)) => {
                // Fails only for a stream that is gone, which the next read tells.
                let _ = self.body.flow_control().release_capacity(piece.len());
                Ok(Some(piece))
            }
            Some(Err(error)) => Err(self.broken(error)),
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let came = self.body.poll_data(cx);
        self.facts.asked(came.is_pending());
        came
    }

    /// Waits until the client gives up.
    pub(super) async fn given_up(&mut self) -> Box<Error> {
        match poll_fn(|cx| self.poll_reset(cx)).await {
            Ok(_code) => {
                self.facts.lost(Left::Reset);
                Error::explain(ErrorType::ConnectionClosed, "the client reset the stream")
            }
            Err(error) => self.broken(error),
        }
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reason, h2::Error>> {
        match &mut self.out {
            Some(out) => out.poll_reset(cx),
            None => self.answer.poll_reset(cx),
        }
    }

    /// What an error of the stream tells of the client.
    fn broken(&self, error: h2::Error) -> Box<Error> {
        self.note(&error);
        Error::because(ErrorType::ReadError, "while the client was listened to", error)
    }

    fn note(&self, error: &h2::Error) {
        if !error.is_io() && !error.is_remote() {
            // The codec found the client's frames wrong.
            let rule = if error.is_reset() { Rule::Message } else { broken(error) };
            self.facts.broke(rule, self.facts.body());
        } else if self.facts.left().is_none() {
            self.facts.lost(if error.is_reset() { Left::Reset } else { Left::Closed });
        }
    }

    /// Why nothing more can be sent.
    fn unsent(&mut self, error: Option<h2::Error>) -> Box<Error> {
        let says = |error: &h2::Error| error.is_io() || error.is_reset() || error.is_go_away();
        let context = "while the client was answered";
        if let Some(error) = error.filter(says) {
            self.note(&error);
            return Error::because(ErrorType::WriteError, context, error);
        }
        // A stream that is closed does not say by whom; unless it was closed, the fault is ours.
        match poll_fn(|cx| self.poll_reset(cx)).now_or_never() {
            None => Error::explain(ErrorType::InternalError, context),
            Some(Ok(_code)) => {
                self.facts.lost(Left::Reset);
                Error::explain(ErrorType::WriteError, context)
            }
            Some(Err(error)) => {
                self.note(&error);
                Error::because(ErrorType::WriteError, context, error)
            }
        }
    }

    /// Sends an interim answer (1xx).
    pub(super) fn inform(&mut self, answer: Response<()>) {
        // A client that is gone is found gone by the next read or write.
        let _ = self.answer.send_informational(answer);
    }

    /// Sends the header section of the final answer.
    pub(super) fn begin(&mut self, answer: Response<()>, end: bool) -> Result<()> {
        let status = answer.status().as_u16();
        match self.answer.send_response(answer, end) {
            Ok(out) => self.out = Some(out),
            Err(error) => return Err(self.unsent(Some(error))),
        }
        self.ended = end;
        self.given += 1;
        self.facts.answering(status);
        Ok(())
    }

    /// Sends a piece of its body, as fast as the client takes it.
    pub(super) async fn write(
        &mut self,
        mut data: Bytes,
        end: bool,
        limit: Option<Duration>,
    ) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        while !data.is_empty() {
            let room = match limit {
                Some(limit) => {
                    let room = timeout(limit, poll_fn(|cx| self.poll_room(cx, data.len()))).await;
                    room.map_err(|_elapsed| self.stalled())?
                }
                None => poll_fn(|cx| self.poll_room(cx, data.len())).await,
            };
            let room = room.map_err(|error| self.unsent(error))?;
            let piece = data.split_to(room.min(data.len()));
            let end = end && data.is_empty();
            self.send(piece, end)?;
        }
        if end { self.finish() } else { Ok(()) }
    }

    /// How much the client's window takes at this moment, and never nothing.
    fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        wanted: usize,
    ) -> Poll<Result<usize, Option<h2::Error>>> {
        let Some(out) = &mut self.out else { return Poll::Ready(Err(None)) };
        out.reserve_capacity(wanted);
        loop {
            let room = out.poll_capacity(cx);
            self.facts.wrote(room.is_pending());
            match ready!(room) {
                None => return Poll::Ready(Err(None)),
                Some(Err(error)) => return Poll::Ready(Err(Some(error))),
                Some(Ok(0)) => {}
                Some(Ok(room)) => return Poll::Ready(Ok(room)),
            }
        }
    }

    fn send(&mut self, data: Bytes, end: bool) -> Result<()> {
        let Some(out) = &mut self.out else {
            return Err(Error::explain(ErrorType::InternalError, "a body without a header"));
        };
        let length = data.len();
        if let Err(error) = out.send_data(data, end) {
            return Err(self.unsent(Some(error)));
        }
        self.facts.told(length);
        self.given += length as u64;
        self.ended = end;
        Ok(())
    }

    /// Ends the answer, if its header section went out.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.ended || self.out.is_none() { Ok(()) } else { self.send(Bytes::new(), true) }
    }

    /// Ends it with trailers.
    pub(super) fn trail(&mut self, trailers: HeaderMap) -> Result<()> {
        let Some(out) = self.out.as_mut().filter(|_| !self.ended) else { return Ok(()) };
        if let Err(error) = out.send_trailers(trailers) {
            return Err(self.unsent(Some(error)));
        }
        self.ended = true;
        Ok(())
    }

    /// How much of an answer that is not complete has to go out before it is broken off: the codec
    /// drops what waits when a stream is reset.
    pub(super) fn begun(&self) -> Option<u64> {
        (!self.ended && self.given > 0).then_some(self.given)
    }

    /// Breaks off an answer that is not complete, so that nobody takes it for whole.
    pub(super) fn abandon(&mut self) {
        if !self.ended {
            self.answer.send_reset(Reason::INTERNAL_ERROR);
            self.ended = true;
        }
    }

    fn stalled(&self) -> Box<Error> {
        self.facts.lost(Left::Stalled);
        Error::explain(ErrorType::WriteTimedout, "the client does not read")
    }
}
