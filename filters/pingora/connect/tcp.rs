//! Connecting by TCP, or to a Unix socket.

use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora::protocols::l4::socket::SocketAddr;
use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use whodunit_filters::attribution::{Failure, Fault, Phase, Side};

use super::kernel::TcpInfo;
use super::socket::Socket;
use super::wire::Wire;
use crate::observe;

/// Connects within `limit`.
pub(super) async fn connect(
    address: &SocketAddr,
    limit: Duration,
) -> Result<(Socket, Arc<Wire>), Failure> {
    match address {
        SocketAddr::Inet(inet) => {
            let (stream, wire) = self::inet(*inet, limit).await?;
            let wire = Arc::new(wire);
            Ok((Socket::tcp(stream, wire.clone(), address), wire))
        }
        SocketAddr::Unix(unix) => {
            let path = unix.as_pathname().expect("an endpoint's socket has a path");
            let (stream, wire) = self::unix(path, limit).await?;
            let wire = Arc::new(wire);
            Ok((Socket::unix(stream, wire.clone(), address), wire))
        }
    }
}

async fn inet(
    address: std::net::SocketAddr,
    limit: Duration,
) -> Result<(TcpStream, Wire), Failure> {
    let refused = |error: io::Error| observe::refused(&error);
    let kind = Type::STREAM.nonblocking();
    let socket = socket2::Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP));
    let socket = socket.map_err(refused)?;
    let fd = socket.as_raw_fd();
    let began = Instant::now();
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
            return Err(refused(error));
        }
        // This machine itself has answered by now; for its refusal nobody needs to wait.
        Ok(()) | Err(_) => answered(socket.take_error()).map_err(refused)?,
    }
    let stream = TcpStream::from_std(socket.into()).map_err(refused)?;
    match timeout(limit, stream.writable()).await {
        Ok(writable) => writable.and_then(|()| answered(stream.take_error())).map_err(refused)?,
        Err(_elapsed) => {
            let mut failure = Failure::new(Side::Origin, Phase::Connect, Fault::TimedOut);
            if let Some(info) = TcpInfo::of(fd) {
                info.note(&mut failure);
            }
            return Err(failure);
        }
    }
    let _ = stream.set_nodelay(true);
    let late = TcpInfo::of(fd).map_or(0, |info| info.retransmits_in_all);
    Ok((stream, Wire::new(fd, false, late, began.elapsed())))
}

/// What a socket says that was asked for its error.
fn answered(said: io::Result<Option<io::Error>>) -> io::Result<()> {
    said.and_then(|error| error.map_or(Ok(()), Err))
}

async fn unix(path: &Path, limit: Duration) -> Result<(UnixStream, Wire), Failure> {
    let began = Instant::now();
    let stream = match timeout(limit, UnixStream::connect(path)).await {
        Ok(connected) => connected.map_err(|error| observe::refused(&error))?,
        Err(_elapsed) => {
            return Err(Failure::new(Side::Origin, Phase::Connect, Fault::TimedOut));
        }
    };
    let wire = Wire::new(stream.as_raw_fd(), true, 0, began.elapsed());
    Ok((stream, wire))
}

/// What an error of the system's says of a connection that broke while it was being secured.
pub(super) fn broken(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Fault::Reset,
        _ => Fault::Closed,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr as Inet;

    use tokio::net::TcpSocket;

    use whodunit_filters::attribution::Key;

    use super::*;

    fn inet(address: &str) -> SocketAddr {
        SocketAddr::Inet(address.parse::<Inet>().expect("an address"))
    }

    #[tokio::test]
    async fn a_refusal_says_so() {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = inet(&socket.local_addr().expect("bound").to_string());
        let failure = connect(&address, Duration::from_secs(5)).await.err();
        let failure = failure.expect("nobody listens");
        assert_eq!((failure.phase, failure.fault), (Phase::Connect, Fault::Refused));
        assert_eq!(failure.evidence.text(Key::Errno), Some("ECONNREFUSED"));
    }

    #[tokio::test]
    async fn silence_is_told_with_the_kernels_counters() {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let listener = socket.listen(0).expect("a queue");
        let address = inet(&listener.local_addr().expect("bound").to_string());
        let mut held = Vec::new();
        let failure = loop {
            match connect(&address, Duration::from_millis(300)).await {
                Ok(connected) => held.push(connected),
                Err(failure) => break failure,
            }
            assert!(held.len() < 10, "the queue has no end");
        };
        assert_eq!((failure.phase, failure.fault), (Phase::Connect, Fault::TimedOut));
        assert_eq!(failure.evidence.number(Key::Unacked), Some(1), "{failure:?}");
    }
}
