//! An address that another one of ours holds as well, such as all of a machine's addresses in place
//! of one: for a moment both have to be listened on, or connections would be refused in between.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use socket2::{SockRef, Socket};

/// Lets `socket` listen at this address beside `ours`, where that is what it `failed` for. From then
/// on the kernel lets in others who ask for just that (`SO_REUSEPORT`), if they are the same user's.
///
/// # Errors
/// As of `listen`; where it is somebody else who listens there, the same as without.
pub(super) fn beside(
    socket: &Socket,
    address: SocketAddr,
    ours: &[OwnedFd],
    listen: impl Fn() -> io::Result<()>,
    failed: io::Error,
) -> io::Result<()> {
    let same = |other: &SockRef<'_>| {
        let at = other.local_addr().ok().and_then(|at| at.as_socket());
        at.is_some_and(|at| at.port() == address.port())
    };
    let shared = |other: &SockRef<'_>| other.reuse_port().unwrap_or(true);
    let mut closed: Vec<SockRef<'_>> = ours.iter().map(SockRef::from).filter(same).collect();
    if closed.is_empty() {
        return Err(failed);
    }
    closed.retain(|other| !shared(other));
    let own = SockRef::from(socket);
    if !shared(&own) {
        closed.push(own);
    }
    let set = |to| closed.iter().try_for_each(|each| each.set_reuse_port(to));
    let done = set(true).and_then(|()| listen());
    set(false)?;
    done
}
