//! The client's connection as the HTTP/2 codec gets to see it: what was read ahead comes first,
//! and every frame that passes is noted with the request that it belongs to.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use pingora::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::calm::Calm;
use super::room::Room;
use crate::arrival::{ClientFacts, Left};
use crate::frames::{DATA, Frames, HEADERS, RST_STREAM, Seen};
use crate::stall::Stall;

/// The connection.
pub(super) struct Wire {
    stream: Stream,
    ahead: BytesMut,
    incoming: Frames,
    outgoing: Frames,
    calm: Calm,
    room: Arc<Room>,
    /// The request that the DATA frame under way belongs to.
    uploading: Option<Arc<ClientFacts>>,
    midway: bool,
    stall: Stall,
}

impl Wire {
    /// This connection, of which so much was read already.
    pub(super) fn new(
        stream: Stream,
        ahead: BytesMut,
        room: Arc<Room>,
        patience: Duration,
    ) -> Self {
        Self {
            stream,
            ahead,
            incoming: Frames::of_client(),
            outgoing: Frames::of_server(),
            calm: Calm::new(Instant::now()),
            room,
            uploading: None,
            midway: false,
            stall: Stall::new(patience),
        }
    }

    /// Bytes came from the client.
    fn came(&mut self, bytes: &[u8]) {
        let Self { incoming, calm, room, uploading, .. } = self;
        incoming.scan(bytes, |seen| match seen {
            Seen::Begun(frame) => {
                if !calm.bears(frame) {
                    room.flood();
                }
                match frame.kind {
                    HEADERS => room.begins(frame.stream),
                    DATA => *uploading = room.facts(frame.stream),
                    _ => {}
                }
            }
            Seen::Went(frame, length) => {
                if let (DATA, Some(facts)) = (frame.kind, &*uploading) {
                    facts.heard(length);
                }
            }
            Seen::Ended(frame, _) => {
                if frame.kind == RST_STREAM {
                    if let Some(facts) = room.facts(frame.stream) {
                        facts.lost(Left::Reset);
                    }
                } else if frame.ends_stream()
                    && let Some(facts) = uploading.take().or_else(|| room.facts(frame.stream))
                {
                    facts.finished();
                }
            }
        });
        let midway = self.incoming.midway();
        if midway != self.midway {
            self.midway = midway;
            self.room.turn(midway);
        }
    }

    /// So many of these bytes went to the client.
    fn went(&mut self, bytes: &[u8]) {
        let Self { outgoing, calm, room, .. } = self;
        outgoing.scan(bytes, |seen| {
            if let Seen::Ended(frame, word) = seen {
                calm.sent(frame);
                room.sent(frame, word.reset());
            }
        });
    }

    /// Gives up on a write that makes no progress.
    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let result = ready!(self.stall.watch(cx, poll));
        if let Err(error) = &result {
            self.room.lost(Left::of(error));
        }
        Poll::Ready(result)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let before = out.filled().len();
        if wire.ahead.is_empty() {
            if let Err(error) = ready!(Pin::new(&mut wire.stream).poll_read(cx, out)) {
                wire.room.lost(Left::of(&error));
                return Poll::Ready(Err(error));
            }
        } else {
            let taken = wire.ahead.len().min(out.remaining());
            out.put_slice(&wire.ahead[..taken]);
            wire.ahead.advance(taken);
        }
        if out.filled().len() == before && out.remaining() > 0 {
            wire.room.lost(Left::Closed);
        }
        wire.came(&out.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let poll = Pin::new(&mut wire.stream).poll_write(cx, bytes);
        let written = ready!(wire.watch(cx, poll))?;
        wire.went(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let poll = Pin::new(&mut wire.stream).poll_write_vectored(cx, slices);
        let written = ready!(wire.watch(cx, poll))?;
        let mut left = written;
        for slice in slices {
            let part = left.min(slice.len());
            wire.went(&slice[..part]);
            left -= part;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let poll = Pin::new(&mut wire.stream).poll_flush(cx);
        wire.watch(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let poll = Pin::new(&mut wire.stream).poll_shutdown(cx);
        wire.watch(cx, poll)
    }
}
