//! A client's connection as it was accepted.

use std::io::{self, IoSlice};
use std::net::SocketAddr as InetAddress;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::{SocketDigest, TimingDigest};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// The socket.
#[derive(Debug)]
pub(super) enum Raw {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The connection.
#[derive(Debug)]
pub(super) struct Plain {
    raw: Raw,
    /// What was read to find out who calls, and is still to be read by whoever serves it.
    ahead: Bytes,
    pub(super) addresses: Arc<SocketDigest>,
    pub(super) established: SystemTime,
}

impl Plain {
    pub(super) fn new(raw: Raw, addresses: SocketDigest) -> Self {
        let addresses = Arc::new(addresses);
        Self { raw, ahead: Bytes::new(), addresses, established: SystemTime::now() }
    }

    /// Gives back what was read and belongs to whoever serves it.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        // Not all of what was given back before may have been read.
        self.ahead = if self.ahead.is_empty() {
            bytes
        } else {
            [bytes, std::mem::take(&mut self.ahead)].concat().into()
        };
    }

    /// It is the connection of somebody else, who connected to another address.
    pub(super) fn introduce(&mut self, from: InetAddress, to: InetAddress) {
        let addresses = SocketDigest::from_raw_fd(self.fd());
        // New cells are empty.
        let _ = addresses.peer_addr.set(Some(SocketAddr::Inet(from)));
        let _ = addresses.local_addr.set(Some(SocketAddr::Inet(to)));
        self.addresses = Arc::new(addresses);
    }

    /// Its descriptor.
    pub(super) fn fd(&self) -> RawFd {
        match &self.raw {
            Raw::Tcp(stream) => stream.as_raw_fd(),
            Raw::Unix(stream) => stream.as_raw_fd(),
        }
    }

    /// When it was accepted, as Pingora tells of it.
    pub(super) fn timing(&self) -> TimingDigest {
        TimingDigest {
            established_ts: self.established,
            establishment_duration: None,
            offload_wait_duration: None,
        }
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let plain = self.get_mut();
        if !plain.ahead.is_empty() {
            let taken = plain.ahead.len().min(out.remaining());
            out.put_slice(&plain.ahead.split_to(taken));
            return Poll::Ready(Ok(()));
        }
        match &mut plain.raw {
            Raw::Tcp(stream) => Pin::new(stream).poll_read(cx, out),
            Raw::Unix(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().raw {
            Raw::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Raw::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().raw {
            Raw::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Raw::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The kernel holds nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().raw {
            Raw::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Raw::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_is_given_back_comes_before_what_was_not_read_yet() {
        let (ours, theirs) = UnixStream::pair().expect("two ends");
        let addresses = SocketDigest::from_raw_fd(ours.as_raw_fd());
        let mut plain = Plain::new(Raw::Unix(ours), addresses);
        plain.unread(Bytes::from_static(b"abcd"));
        let mut two = [0; 2];
        plain.read_exact(&mut two).await.expect("there are four");
        plain.unread(Bytes::copy_from_slice(&two));
        drop(theirs);
        let mut all = Vec::new();
        plain.read_to_end(&mut all).await.expect("the other end has left");
        assert_eq!(all, b"abcd");
    }
}
