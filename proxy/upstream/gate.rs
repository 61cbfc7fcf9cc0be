//! Holding back an origin's answer to an upgrade until the request's end has been taken.
//!
//! Pingora's upstream half waits for two things at once, in no fixed order: the origin's answer,
//! and the request body, which for an upgrade is empty and only has an end. Should it see `101`
//! first, it takes the end of that body for the end of the tunnel and closes it
//! (cloudflare/pingora#946). So the answer must not be readable before the end has been taken. The
//! taking shows on the socket: Pingora flushes once after the request's head, and once more at
//! the body's end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::task::AtomicWaker;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::ext::{connect, connect_uds, set_tcp_keepalive};
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType, OrErr, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Reads pass.
const OPEN: u8 = 0;
/// They wait for the request's head to be flushed, and then for its end.
const BEFORE_HEAD: u8 = 1;
/// They wait for the request's end.
const BEFORE_END: u8 = 2;

/// Whether an upgrade's answer may be read yet. It is open at first, so that a TLS handshake
/// passes.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<State>);

#[derive(Debug, Default)]
struct State {
    phase: AtomicU8,
    reader: AtomicWaker,
}

impl Gate {
    /// Holds the answer back until the request has been sent whole. To be called when the
    /// connection stands and nothing of the request is written (`connected_to_upstream`).
    pub fn hold(&self) {
        self.0.phase.store(BEFORE_HEAD, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) == OPEN
    }

    fn open(&self) {
        self.0.phase.store(OPEN, Ordering::Release);
        self.0.reader.wake();
    }

    fn flushed(&self) {
        match self.0.phase.load(Ordering::Acquire) {
            BEFORE_HEAD => self.0.phase.store(BEFORE_END, Ordering::Release),
            BEFORE_END => self.open(),
            _ => {}
        }
    }
}

/// Connects like Pingora's own connector, with a limit for TCP alone, and through a gate if there
/// is one.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) connect: Duration,
    pub(super) gate: Option<Gate>,
}

#[async_trait]
impl L4Connect for Dialer {
    async fn connect(&self, address: &SocketAddr) -> Result<Stream> {
        let connected = timeout(self.connect, self.dial(address)).await;
        let late = || format!("timeout {:?} connecting to server {address}", self.connect);
        connected.or_err_with(ErrorType::ConnectTimedout, late)?.map_err(|error| {
            let context = format!("Fail to connect to {address}");
            match error.etype() {
                ErrorType::SocketError | ErrorType::BindError => {
                    Error::because(ErrorType::InternalError, context, error)
                }
                _ => error.more_context(context),
            }
        })
    }
}

impl Dialer {
    async fn dial(&self, address: &SocketAddr) -> Result<Stream> {
        match address {
            SocketAddr::Inet(address) => {
                let stream = connect(address, None).await?;
                Ok(match self.gate.clone() {
                    Some(gate) => gated(Gated { inner: stream, gate }),
                    None => stream.into(),
                })
            }
            SocketAddr::Unix(address) => {
                let path = address.as_pathname().expect("a peer's socket has a path");
                let stream = connect_uds(path).await?;
                Ok(match self.gate.clone() {
                    Some(gate) => gated(Gated { inner: stream, gate }),
                    None => stream.into(),
                })
            }
        }
    }
}

fn gated<S>(socket: Gated<S>) -> Stream
where
    Gated<S>: VirtualSocket + 'static,
{
    VirtualSocketStream::new(Box::new(socket)).into()
}

/// A socket behind a gate.
#[derive(Debug)]
struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.gate.is_open() {
            self.gate.0.reader.register(cx.waker());
            if !self.gate.is_open() {
                return Poll::Pending;
            }
        }
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes));
        if written.is_err() {
            // The end will not be written; what the origin had to say may still be there.
            self.gate.open();
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        self.gate.flushed();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.gate.open();
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl VirtualSocket for Gated<TcpStream> {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.inner.set_nodelay(true),
            VirtualSockOpt::KeepAlive(keepalive) => {
                set_tcp_keepalive(&self.inner, &keepalive).map_err(io::Error::other)
            }
            _ => Ok(()),
        }
    }
}

impl VirtualSocket for Gated<UnixStream> {
    fn set_socket_option(&self, _: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Polls once.
    fn now<F: Future>(future: F) -> Option<F::Output> {
        tokio::task::unconstrained(future).now_or_never()
    }

    #[tokio::test]
    async fn reads_wait_for_the_second_flush() {
        let (mut origin, ours) = duplex(1_024);
        let gate = Gate::default();
        let mut socket = Gated { inner: ours, gate: gate.clone() };
        origin.write_all(b"hello").await.expect("written");
        assert_eq!(now(socket.read_u8()).expect("open at first").expect("a byte"), b'h');
        gate.hold();
        assert!(now(socket.read_u8()).is_none(), "held");
        socket.write_all(b"GET /").await.expect("written");
        socket.flush().await.expect("flushed");
        assert!(now(socket.read_u8()).is_none(), "held until the end");
        socket.flush().await.expect("flushed");
        assert_eq!(now(socket.read_u8()).expect("open").expect("a byte"), b'e');
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_and_a_failed_write_opens() {
        let (origin, ours) = duplex(1_024);
        let gate = Gate::default();
        gate.hold();
        let (mut reader, mut writer) = tokio::io::split(Gated { inner: ours, gate });
        let read = tokio::spawn(async move { reader.read(&mut [0; 8]).await });
        tokio::task::yield_now().await;
        drop(origin);
        writer.write_all(b"GET /").await.expect_err("nobody is there");
        assert_eq!(read.await.expect("no panic").expect("the end"), 0);
    }
}
