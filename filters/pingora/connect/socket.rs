//! The socket of a connection to the origin. Pingora's own asks the clock at each read and each
//! write; this one only passes on.

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use async_trait::async_trait;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::wire::Wire;

/// The socket.
pub(super) struct Socket {
    io: Box<dyn Io>,
    wire: Arc<Wire>,
    /// Leads to the wire.
    digest: Arc<ProxyDigest>,
    addresses: Arc<SocketDigest>,
    established: SystemTime,
}

/// Of either kind.
trait Io: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Io for T {}

impl Socket {
    pub(super) fn tcp(stream: TcpStream, wire: Arc<Wire>, peer: &SocketAddr) -> Self {
        let fd = stream.as_raw_fd();
        Self::new(Box::new(stream), fd, wire, peer)
    }

    pub(super) fn unix(stream: UnixStream, wire: Arc<Wire>, peer: &SocketAddr) -> Self {
        let fd = stream.as_raw_fd();
        Self::new(Box::new(stream), fd, wire, peer)
    }

    fn new(io: Box<dyn Io>, fd: RawFd, wire: Arc<Wire>, peer: &SocketAddr) -> Self {
        let addresses = SocketDigest::from_raw_fd(fd);
        // A new cell is empty.
        let _ = addresses.peer_addr.set(Some(peer.clone()));
        let (digest, addresses) = (wire.digest(), Arc::new(addresses));
        Self { io, wire, digest, addresses, established: SystemTime::now() }
    }

    fn pin(&mut self) -> Pin<&mut dyn Io> {
        Pin::new(&mut *self.io)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("wire", &self.wire).finish_non_exhaustive()
    }
}

/// While its descriptor is still open.
impl Drop for Socket {
    fn drop(&mut self) {
        self.wire.close();
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().pin().poll_read(cx, out)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().pin().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().pin().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().pin().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().pin().poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Socket {
    async fn shutdown(&mut self) {
        // Its failure says nothing that was not seen before.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Socket {
    fn id(&self) -> UniqueIDType {
        self.wire.fd()
    }
}

impl Ssl for Socket {}

impl GetTimingDigest for Socket {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        vec![Some(TimingDigest {
            established_ts: self.established,
            establishment_duration: Some(self.wire.took),
            offload_wait_duration: None,
        })]
    }
}

impl GetProxyDigest for Socket {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(self.digest.clone())
    }
}

impl GetSocketDigest for Socket {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(self.addresses.clone())
    }
}

impl Peek for Socket {}
