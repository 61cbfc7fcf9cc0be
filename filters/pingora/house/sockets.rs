//! The sockets that connections are accepted from.

use std::io;
use std::os::fd::AsRawFd;

use pingora::protocols::SocketDigest;
use pingora::protocols::l4::socket::SocketAddr;
use tokio::net::{TcpListener, UnixListener};

use super::plain::{Plain, Raw};

/// A socket that connections are accepted from.
#[derive(Debug)]
pub enum Sockets {
    /// Of TCP.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener),
}

impl Sockets {
    /// The next connection, with the addresses of both ends as far as they are known by now.
    pub(super) async fn accept(&self) -> io::Result<Plain> {
        match self {
            Self::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                // What is written goes out at once; where that cannot be set, it goes out later.
                let _ = stream.set_nodelay(true);
                let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
                // New cells are empty.
                let _ = digest.peer_addr.set(Some(SocketAddr::Inet(peer)));
                Ok(Plain::new(Raw::Tcp(stream), digest))
            }
            Self::Unix(socket) => {
                let (stream, peer) = socket.accept().await?;
                let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
                // Without a name of its own it has no address.
                let _ = digest.peer_addr.set(peer.try_into().ok());
                Ok(Plain::new(Raw::Unix(stream), digest))
            }
        }
    }
}

impl From<TcpListener> for Sockets {
    fn from(socket: TcpListener) -> Self {
        Self::Tcp(socket)
    }
}

impl From<UnixListener> for Sockets {
    fn from(socket: UnixListener) -> Self {
        Self::Unix(socket)
    }
}
