//! The way out of a gate: the answer is followed until its final status. On its way a 5xx of which
//! nobody has told yet who failed gets our member, and the origin's `Date` is put back: Pingora
//! writes its own, and a cache would take an old answer for a new one (RFC 9110 section 6.6.1).

use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderValue;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, sleep_until};

use super::{Gate, Rest};
use crate::arrival::Left;
use crate::reply;

/// What is known of the answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// No final status yet; so many bytes of an interim one are still to come.
    Awaited { interim: usize },
    /// Its header section goes out changed.
    Amended {
        /// What is still to go out.
        left: Bytes,
        /// How many bytes of Pingora's that is.
        stands_for: usize,
    },
    /// The final status went out.
    Begun,
}

impl Default for Answer {
    fn default() -> Self {
        Self::Awaited { interim: 0 }
    }
}

impl Gate {
    /// Follows the answer until its final status. Pingora writes each header in one piece.
    fn wrote(&mut self, bytes: &[u8], written: usize) {
        self.client.told(written);
        let Answer::Awaited { interim } = &mut self.answer else { return };
        if *interim > 0 {
            *interim = interim.saturating_sub(written);
            return;
        }
        let status = status(bytes);
        match status {
            Some(101) if self.upgrade => self.rest = Rest::Everything,
            Some(100..=199) => {
                *interim = bytes.len() - written;
                return;
            }
            _ => {}
        }
        self.client.answering(status.unwrap_or_default());
        self.answer = Answer::Begun;
    }

    /// Changes what has to be changed in the header section of a final answer.
    fn amend(&mut self, bytes: &[u8]) {
        let Answer::Awaited { interim: 0 } = self.answer else { return };
        let Some(status) = status(bytes).filter(|status| *status >= 200) else { return };
        let dated = self.client.dated.get().and_then(|date| Some((date, redated(bytes, date)?)));
        if dated.is_none() && status < 500 {
            return;
        }
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return };
        let ours = self.client.net.tell(status);
        if dated.is_none() && ours.is_none() {
            return;
        }
        let mut amended = BytesMut::with_capacity(bytes.len() + 512);
        let mut copied = 0;
        if let Some((date, value)) = dated {
            amended.extend_from_slice(&bytes[..value.start]);
            amended.extend_from_slice(date.as_bytes());
            copied = value.end;
        }
        amended.extend_from_slice(&bytes[copied..end + 2]);
        if let Some(ours) = ours {
            reply::put_told(&mut amended, &ours);
        }
        amended.extend_from_slice(&bytes[end + 2..]);
        self.client.answering(status);
        self.answer = Answer::Amended { left: amended.freeze(), stands_for: bytes.len() };
    }

    /// Writes what is left of an amended header section.
    fn poll_amended(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Answer::Amended { left, stands_for } = &mut self.answer {
            if left.is_empty() {
                let stands_for = *stands_for;
                self.answer = Answer::Begun;
                return Poll::Ready(Ok(stands_for));
            }
            let piece = left.clone();
            let poll = self.pin().poll_write(cx, &piece);
            let written = ready!(self.watch(cx, poll))?;
            self.client.told(written);
            if let Answer::Amended { left, .. } = &mut self.answer {
                left.advance(written);
            }
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Gives up on a write that makes no progress.
    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.client.wrote(poll.is_pending());
        match poll {
            Poll::Pending => {
                let until = Instant::now() + self.patience;
                let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(until)));
                ready!(stalled.as_mut().poll(cx));
                self.client.lost(Left::Stalled);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(result) => {
                self.stalled = None;
                if let Err(error) = &result {
                    self.client.failed(error);
                }
                Poll::Ready(result)
            }
        }
    }
}

/// The status in the first line of an answer.
fn status(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(rest.get(2..5)?).ok()?.parse().ok()
}

/// Where in a header section another `Date` stands than this.
fn redated(bytes: &[u8], date: &HeaderValue) -> Option<Range<usize>> {
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line == b"\r\n" {
            break;
        }
        if line.get(..6).is_some_and(|name| name.eq_ignore_ascii_case(b"date: ")) {
            let value = start + 6..start + line.len() - 2;
            return (bytes.get(value.clone())? != date.as_bytes()).then_some(value);
        }
        start += line.len();
    }
    None
}

impl AsyncWrite for Gate {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let gate = self.get_mut();
        gate.amend(bytes);
        if let Answer::Amended { stands_for, .. } = gate.answer {
            if stands_for != bytes.len() {
                // The write of the header section was given up half-way.
                return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
            }
            return gate.poll_amended(cx);
        }
        let poll = gate.pin().poll_write(cx, bytes);
        let written = ready!(gate.watch(cx, poll))?;
        gate.wrote(bytes, written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !matches!(self.answer, Answer::Begun) {
            // A header section is looked at in one piece.
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(cx, first.map_or(&[], |slice| slice));
        }
        let gate = self.get_mut();
        let poll = gate.pin().poll_write_vectored(cx, slices);
        let written = ready!(gate.watch(cx, poll))?;
        gate.wrote(&[], written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        let poll = gate.pin().poll_flush(cx);
        gate.watch(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        let poll = gate.pin().poll_shutdown(cx);
        gate.watch(cx, poll)
    }
}
