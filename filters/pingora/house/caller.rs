//! A client's connection as Pingora wants to see connections. Pingora's own asks the clock at each
//! read and each write; this one only passes on.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf};

use super::plain::Plain;

/// How many bytes are gathered into one packet, as Pingora does: a header section and a small body
/// go out together.
const GATHERED: usize = 1460;

/// The connection.
#[derive(Debug)]
pub(super) struct Caller {
    io: BufWriter<Plain>,
    /// Leads to its entrance.
    entrance: Arc<ProxyDigest>,
}

impl Caller {
    pub(super) fn new(plain: Plain, entrance: Arc<ProxyDigest>) -> Self {
        Self { io: BufWriter::with_capacity(GATHERED, plain), entrance }
    }

    fn pin(self: Pin<&mut Self>) -> Pin<&mut BufWriter<Plain>> {
        Pin::new(&mut self.get_mut().io)
    }
}

impl AsyncRead for Caller {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pin().poll_read(cx, out)
    }
}

impl AsyncWrite for Caller {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pin().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pin().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pin().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pin().poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Caller {
    async fn shutdown(&mut self) {
        // Its failure says nothing that was not seen before.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Caller {
    fn id(&self) -> UniqueIDType {
        self.io.get_ref().fd()
    }
}

impl Ssl for Caller {}

impl GetTimingDigest for Caller {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        vec![Some(self.io.get_ref().timing())]
    }
}

impl GetProxyDigest for Caller {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(self.entrance.clone())
    }
}

impl GetSocketDigest for Caller {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(self.io.get_ref().addresses.clone())
    }
}

impl Peek for Caller {}
