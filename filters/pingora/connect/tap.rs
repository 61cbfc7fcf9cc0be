//! A connection to the origin on whose way in something is watched or held back.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::goodbye::Words;
use super::idle::Berth;
use super::latch::Latch;
use super::letter::Letter;
use crate::stall::Stall;

/// The connection.
#[derive(Debug)]
pub(super) struct Tap {
    /// There until the tap is taken off.
    inner: Option<Stream>,
    watch: Watch,
    /// A header section that is being written.
    letter: Option<Letter>,
}

/// What is done with what comes in.
#[derive(Debug)]
pub(super) enum Watch {
    /// It waits for the latch.
    Upgrade(Latch),
    /// Its beginning and its last words are noted. Nobody waits for the end of such a connection:
    /// where the other end reads no more, its last words would never go out.
    Http2(Words, Stall),
    /// When Pingora is done with it, it goes to its berth.
    Kept(Berth),
}

impl Tap {
    pub(super) fn boxed(inner: Stream, watch: Watch) -> Stream {
        Box::new(Self { inner: Some(inner), watch, letter: None })
    }

    fn inner(&self) -> &Stream {
        self.inner.as_ref().expect("a tap holds its stream until it is dropped")
    }

    fn pin(&mut self) -> Pin<&mut Stream> {
        Pin::new(self.inner.as_mut().expect("a tap holds its stream until it is dropped"))
    }

    /// What came of a write.
    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &mut self.watch {
            Watch::Http2(_, stall) => stall.watch(cx, poll),
            Watch::Upgrade(_) | Watch::Kept(_) => poll,
        }
    }

    /// Writes a header section to whose end lines are to be put; `None` if this is none.
    fn poll_letter(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Option<Poll<io::Result<usize>>> {
        let (Watch::Kept(berth), Some(inner)) = (&self.watch, &mut self.inner) else { return None };
        if self.letter.is_none() {
            match berth.letter(bytes)? {
                Ok(letter) => self.letter = Some(letter),
                Err(error) => return Some(Poll::Ready(Err(error))),
            }
        }
        let poll = self.letter.as_mut()?.poll_write(cx, inner);
        if poll.is_ready() {
            self.letter = None;
        }
        Some(poll)
    }

    /// Something was written, or could not be.
    fn wrote(&mut self, written: io::Result<usize>) -> Poll<io::Result<usize>> {
        if let (Watch::Upgrade(latch), true) = (&self.watch, written.is_err()) {
            // The end will not be written; what the origin had to say may still be there.
            latch.open();
        }
        Poll::Ready(written)
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tap = self.get_mut();
        if let Watch::Upgrade(latch) = &tap.watch {
            ready!(latch.poll_open(cx));
        }
        // Only to find out whether it may be used again does Pingora ask for one byte in memory that
        // was written to before.
        let asks = out.capacity() == 1 && out.initialized().len() == 1;
        if asks
            && let (Watch::Kept(berth), Some(inner)) = (&tap.watch, &mut tap.inner)
            && berth.claim(inner)
        {
            return Poll::Ready(Ok(()));
        }
        let before = out.filled().len();
        let poll = tap.pin().poll_read(cx, out);
        if let Watch::Http2(words, _) = &mut tap.watch {
            words.came(&out.filled()[before..]);
        }
        poll
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tap = self.get_mut();
        if let Some(poll) = tap.poll_letter(cx, bytes) {
            return poll;
        }
        let poll = tap.pin().poll_write(cx, bytes);
        let written = ready!(tap.watch(cx, poll));
        tap.wrote(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tap = self.get_mut();
        let first = slices.iter().find(|slice| !slice.is_empty());
        if let Some(poll) = first.and_then(|first| tap.poll_letter(cx, first)) {
            return poll;
        }
        let poll = tap.pin().poll_write_vectored(cx, slices);
        let written = ready!(tap.watch(cx, poll));
        tap.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tap = self.get_mut();
        let poll = tap.pin().poll_flush(cx);
        let flushed = ready!(tap.watch(cx, poll));
        if let Watch::Upgrade(latch) = &tap.watch {
            latch.flushed();
        }
        Poll::Ready(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tap = self.get_mut();
        if let Watch::Upgrade(latch) = &tap.watch {
            latch.open();
        }
        let poll = tap.pin().poll_shutdown(cx);
        tap.watch(cx, poll)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let (Watch::Kept(berth), Some(inner)) = (&self.watch, self.inner.take()) {
            berth.rest(inner);
        }
    }
}

#[async_trait]
impl Shutdown for Tap {
    async fn shutdown(&mut self) {
        // Its failure says nothing that was not seen before.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Tap {
    fn id(&self) -> UniqueIDType {
        self.inner().id()
    }
}

impl Ssl for Tap {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner().get_ssl_digest()
    }
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner().selected_alpn_proto()
    }
}

impl GetTimingDigest for Tap {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner().get_timing_digest()
    }
}

impl GetProxyDigest for Tap {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner().get_proxy_digest()
    }
}

impl GetSocketDigest for Tap {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner().get_socket_digest()
    }
}

impl Peek for Tap {}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    /// Polls once.
    fn now<F: Future>(future: F) -> Option<F::Output> {
        tokio::task::unconstrained(future).now_or_never()
    }

    #[tokio::test]
    async fn reads_wait_for_the_second_flush() {
        let (mut origin, ours) = duplex(1_024);
        let latch = Latch::default();
        let mut tap = Tap::boxed(Box::new(ours), Watch::Upgrade(latch.clone()));
        origin.write_all(b"hello").await.expect("written");
        assert_eq!(now(tap.read_u8()).expect("open at first").expect("a byte"), b'h');
        latch.hold();
        assert!(now(tap.read_u8()).is_none(), "held");
        tap.write_all(b"GET /").await.expect("written");
        tap.flush().await.expect("flushed");
        assert!(now(tap.read_u8()).is_none(), "held until the end");
        tap.flush().await.expect("flushed");
        assert_eq!(now(tap.read_u8()).expect("open").expect("a byte"), b'e');
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_and_a_failed_write_opens() {
        let (origin, ours) = duplex(1_024);
        let latch = Latch::default();
        latch.hold();
        let tap = Tap::boxed(Box::new(ours), Watch::Upgrade(latch));
        let (mut reader, mut writer) = tokio::io::split(tap);
        let read = tokio::spawn(async move { reader.read(&mut [0; 8]).await });
        tokio::task::yield_now().await;
        drop(origin);
        writer.write_all(b"GET /").await.expect_err("nobody is there");
        assert_eq!(read.await.expect("no panic").expect("the end"), 0);
    }
}
