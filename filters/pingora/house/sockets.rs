//! The sockets that connections are accepted from.

use std::io;
use std::os::fd::AsRawFd;

use pingora::protocols::SocketDigest;
use pingora::protocols::l4::socket::SocketAddr;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::plain::{Plain, Raw};

/// The most connections that wait to be accepted. More than that come while they are.
const WAITING: usize = 65_535;

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
            Self::Tcp(socket) => socket.accept().await.map(tcp),
            Self::Unix(socket) => socket.accept().await.map(unix),
        }
    }

    /// The connections that the kernel has taken in and nobody has accepted, which it would reset.
    /// It is asked itself: the runtime hears of them later. Then the socket is closed.
    pub(super) fn rest(self) -> impl Iterator<Item = Plain> {
        let accept: Box<dyn Fn() -> io::Result<Plain> + Send> = match self {
            Self::Tcp(socket) => {
                let socket = socket.into_std();
                Box::new(move || {
                    let (stream, peer) = socket.as_ref().map_err(io::Error::kind)?.accept()?;
                    stream.set_nonblocking(true)?;
                    Ok(tcp((TcpStream::from_std(stream)?, peer)))
                })
            }
            Self::Unix(socket) => {
                let socket = socket.into_std();
                Box::new(move || {
                    let (stream, peer) = socket.as_ref().map_err(io::Error::kind)?.accept()?;
                    stream.set_nonblocking(true)?;
                    Ok(unix((UnixStream::from_std(stream)?, peer.into())))
                })
            }
        };
        let next = move || loop {
            match accept() {
                // One that has gone again.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                accepted => return accepted.ok(),
            }
        };
        std::iter::from_fn(next).take(WAITING)
    }
}

fn tcp((stream, peer): (TcpStream, std::net::SocketAddr)) -> Plain {
    // What is written goes out at once; where that cannot be set, it goes out later.
    let _ = stream.set_nodelay(true);
    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
    // New cells are empty.
    let _ = digest.peer_addr.set(Some(SocketAddr::Inet(peer)));
    Plain::new(Raw::Tcp(stream), digest)
}

fn unix((stream, peer): (UnixStream, tokio::net::unix::SocketAddr)) -> Plain {
    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
    // Without a name of its own it has no address.
    let _ = digest.peer_addr.set(peer.try_into().ok());
    Plain::new(Raw::Unix(stream), digest)
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
