//! The socket below TLS, with the first bytes that came over it: of what is no TLS, rustls tells no
//! more than that.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use whodunit_filters::attribution::{Failure, Key, sniff};

use super::socket::Socket;

/// The most of the first bytes that is kept.
const KEPT: usize = 64;

/// The socket.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) socket: Socket,
    /// Taken off when enough has come.
    opening: Option<Opening>,
}

/// How the other end began.
#[derive(Clone, Debug, Default)]
pub(super) struct Opening(Arc<Mutex<Vec<u8>>>);

impl Heard {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, opening: Some(Opening::default()) }
    }

    pub(super) fn opening(&self) -> Opening {
        self.opening.clone().unwrap_or_default()
    }
}

impl Opening {
    /// Notes them, and what they look like; they are no TLS.
    pub(super) fn note(&self, failure: Failure) -> Failure {
        let escaped = self.bytes().escape_ascii().to_string();
        let failure = sniff::note(failure, &escaped);
        if escaped.starts_with("HTTP/") { failure.with(Key::LooksLike, "HTTP") } else { failure }
    }

    /// How many bytes have come, 64 at most.
    pub(super) fn len(&self) -> usize {
        self.locked().len()
    }

    fn bytes(&self) -> Vec<u8> {
        self.locked().clone()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Heard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let heard = self.get_mut();
        let before = out.filled().len();
        let poll = Pin::new(&mut heard.socket).poll_read(cx, out);
        if let Some(opening) = &heard.opening {
            let mut kept = opening.locked();
            let came = &out.filled()[before..];
            let room = KEPT - kept.len();
            kept.extend_from_slice(&came[..came.len().min(room)]);
            let enough = kept.len() == KEPT;
            drop(kept);
            if enough {
                heard.opening = None;
            }
        }
        poll
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
