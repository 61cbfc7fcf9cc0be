//! Listening sockets that were open before this process bound any: those of the process it follows,
//! or of whoever started it.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::{Mutex, PoisonError};

use socket2::{Domain, Socket};
use whodunit_conf::Config;
use whodunit_conf::schema::address::Address;

/// A listening socket.
#[derive(Debug)]
pub(super) enum Heirloom {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Those that nobody has asked for yet.
#[derive(Debug, Default)]
pub(super) struct Inherited(Mutex<Vec<Piece>>);

/// One of them.
#[derive(Debug)]
struct Piece {
    /// The address in the configuration that it was bound for, which may leave the port open.
    written: Option<Address>,
    at: Address,
    socket: Heirloom,
}

impl Heirloom {
    /// A socket that came from elsewhere.
    ///
    /// # Errors
    /// When it is not one that listens for streams at an address of ours.
    pub(super) fn of(socket: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(socket);
        if socket.r#type()? != socket2::Type::STREAM || !socket.is_listener()? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
        }
        let domain = socket.domain()?;
        socket.set_nonblocking(true)?;
        if domain == Domain::UNIX {
            Ok(Self::Unix(socket.into()))
        } else {
            Ok(Self::Tcp(socket.into()))
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As of the system; when it is a Unix socket without a path.
    pub(super) fn at(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(listener) => {
                let at = listener.local_addr()?;
                let path = at.as_pathname().ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidInput, "its address is no path")
                })?;
                Ok(Address::Unix(path.to_owned()))
            }
        }
    }
}

impl AsFd for Heirloom {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

impl Inherited {
    /// Another one. `written` is the address it was bound for, where that is known.
    ///
    /// # Errors
    /// When it has no address of ours.
    pub(super) fn add(&self, written: Option<Address>, socket: Heirloom) -> io::Result<()> {
        let at = socket.at()?;
        self.lock().push(Piece { written, at, socket });
        Ok(())
    }

    /// The socket for an address of the configuration: the one that was bound for what is written
    /// there, or the one that listens at just that address.
    pub(super) fn take(&self, address: &Address) -> Option<Heirloom> {
        let mut pieces = self.lock();
        let written = pieces.iter().position(|one| one.written.as_ref() == Some(address));
        let found = written.or_else(|| pieces.iter().position(|one| one.at == *address))?;
        Some(pieces.remove(found).socket)
    }

    /// The addresses of those that nobody asked for.
    pub(super) fn left(&self) -> Vec<Address> {
        self.lock().iter().map(|one| one.at.clone()).collect()
    }

    /// Copies of those that nobody will ask for by this configuration.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn goers(&self, config: &Config) -> io::Result<Vec<OwnedFd>> {
        let sections = config.listeners.iter().map(|section| &section.address);
        let stays: Vec<&Address> = sections.chain(&config.admin.address).collect();
        let pieces = self.lock();
        let gone = pieces.iter().filter(|one| {
            !stays.contains(&&one.at) && one.written.as_ref().is_none_or(|at| !stays.contains(&at))
        });
        gone.map(|one| one.socket.as_fd().try_clone_to_owned()).collect()
    }

    /// Closes those, and removes the files of those that had one: nobody listens there any more.
    pub(super) fn close(&self) -> Vec<Address> {
        let closed: Vec<Address> =
            std::mem::take(&mut *self.lock()).into_iter().map(|Piece { at, .. }| at).collect();
        for address in &closed {
            if let Address::Unix(path) = address {
                // Where that is not possible it is found, unused, by whoever binds there next.
                let _ = std::fs::remove_file(path);
            }
        }
        closed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Piece>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp() -> (Heirloom, Address) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listener = Heirloom::of(listener.into()).expect("it listens");
        let at = listener.at().expect("it is bound");
        (listener, at)
    }

    #[test]
    fn a_socket_is_found_by_what_was_written_or_by_where_it_is() {
        let any: Address = "127.0.0.1:0".parse().expect("an address");
        let inherited = Inherited::default();
        let ((first, one), (second, two), (third, three)) = (tcp(), tcp(), tcp());
        inherited.add(Some(any.clone()), first).expect("it has an address");
        inherited.add(Some(any.clone()), second).expect("it has an address");
        inherited.add(None, third).expect("it has an address");
        let found = inherited.take(&three).expect("it is there");
        assert_eq!(found.at().expect("it is bound"), three);
        assert!(inherited.take(&three).is_none(), "it was taken");
        let found = inherited.take(&any).expect("the first");
        assert_eq!(found.at().expect("it is bound"), one, "in their order");
        assert_eq!(inherited.left(), std::slice::from_ref(&two));
        assert!(inherited.take(&two).is_some());
        assert!(inherited.take(&any).is_none());
    }

    #[test]
    fn what_does_not_listen_is_refused_and_what_is_not_wanted_is_removed() {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        assert!(Heirloom::of(udp.into()).is_err());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sock");
        let unix = UnixListener::bind(&path).expect("the folder is ours");
        let unix = Heirloom::of(unix.into()).expect("it listens");
        let inherited = Inherited::default();
        inherited.add(None, unix).expect("it has a path");
        assert_eq!(inherited.close(), [Address::Unix(path.clone())]);
        assert!(!path.exists() && inherited.left().is_empty());
    }
}
