//! Sockets, bound before anything else: one that cannot be had ends the process at once.

use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use whodunit_conf::Config;
use whodunit_conf::schema::address::Address;
use whodunit_conf::schema::listener::{Listener, Mode};
use whodunit_pingora::Sockets;

use super::inherited::{Heirloom, Inherited};
use super::{Refusal, overlap};
use crate::notice;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 65_535;

/// A listener's socket.
pub(super) enum Bound {
    Inet { socket: TcpListener, name: Arc<str>, at: SocketAddr },
    Unix { socket: UnixListener, path: PathBuf },
}

impl Bound {
    /// The same socket once more.
    pub(super) fn copy(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Inet { socket, .. } => socket.as_fd().try_clone_to_owned(),
            Self::Unix { socket, .. } => socket.as_fd().try_clone_to_owned(),
        }
    }

    pub(super) fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet { at, .. } => Some(*at),
            Self::Unix { .. } => None,
        }
    }

    /// The listener's name.
    pub(super) fn name(&self) -> Arc<str> {
        match self {
            Self::Inet { name, .. } => name.clone(),
            Self::Unix { path, .. } => format!("unix:{}", path.display()).into(),
        }
    }

    /// Ready to accept connections. Must be called on a runtime.
    pub(super) fn into_sockets(self) -> io::Result<Sockets> {
        match self {
            Self::Inet { socket, .. } => tokio::net::TcpListener::from_std(socket).map(Into::into),
            Self::Unix { socket, .. } => tokio::net::UnixListener::from_std(socket).map(Into::into),
        }
    }
}

/// Binds every listener of the configuration whose socket is not there already.
pub(super) fn bind(config: &Config, inherited: &Inherited) -> Result<Vec<Bound>, Refusal> {
    let bind = |listener| bind_one(listener, inherited, &|| inherited.goers(config));
    config.listeners.iter().map(bind).collect()
}

/// Binds one of them. `ours`: sockets that listen, and soon will not.
pub(super) fn bind_one(
    listener: &Listener,
    inherited: &Inherited,
    ours: &dyn Fn() -> io::Result<Vec<OwnedFd>>,
) -> Result<Bound, Refusal> {
    let bound = match &listener.address {
        Address::Tcp(address) => inet(*address, listener.reuse_port, inherited, ours),
        Address::Unix(path) => unix(path.as_ref(), inherited),
    }?;
    permit(listener)?;
    Ok(bound)
}

/// Sets who may connect to a Unix socket, where that is set.
pub(super) fn permit(listener: &Listener) -> Result<(), Refusal> {
    let (Address::Unix(path), Some(Mode(mode))) = (&listener.address, listener.mode) else {
        return Ok(());
    };
    if std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o7777 == mode) {
        return Ok(());
    }
    let set = std::fs::set_permissions(path, Permissions::from_mode(mode));
    set.map_err(|error| Refusal(format!("{} cannot be given its mode: {error}", path.display())))
}

/// Binds the admin listener, if there is one.
pub(super) fn admin(
    config: &Config,
    inherited: &Inherited,
) -> Result<Option<TcpListener>, Refusal> {
    let Some(address) = config.admin.address.as_ref().and_then(Address::tcp) else {
        return Ok(None);
    };
    open(address, false, inherited, &|| inherited.goers(config))
        .map(Some)
        .map_err(|error| refusal(&address.to_string(), &error))
}

fn inet(
    address: SocketAddr,
    shared: bool,
    inherited: &Inherited,
    ours: &dyn Fn() -> io::Result<Vec<OwnedFd>>,
) -> Result<Bound, Refusal> {
    let refused = |error| refusal(&address.to_string(), &error);
    let socket = open(address, shared, inherited, ours).map_err(refused)?;
    let at = socket.local_addr().map_err(refused)?;
    let name: Arc<str> = at.to_string().into();
    Ok(Bound::Inet { socket, name, at })
}

fn open(
    address: SocketAddr,
    shared: bool,
    inherited: &Inherited,
    ours: &dyn Fn() -> io::Result<Vec<OwnedFd>>,
) -> io::Result<TcpListener> {
    if let Some(Heirloom::Tcp(listener)) = inherited.take(&Address::Tcp(address)) {
        return Ok(listener);
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    let listen = || {
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)
    };
    match listen() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            overlap::beside(&socket, address, &ours()?, listen, error)?;
        }
        done => done?,
    }
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A socket file that nobody answers at is what a process that was killed left behind.
fn unix(path: &Path, inherited: &Inherited) -> Result<Bound, Refusal> {
    if let Some(Heirloom::Unix(socket)) = inherited.take(&Address::Unix(path.to_owned())) {
        return Ok(Bound::Unix { socket, path: path.to_owned() });
    }
    let place = format!("unix:{}", path.display());
    let left_behind = path.symlink_metadata().is_ok_and(|file| file.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
    if left_behind {
        std::fs::remove_file(path).map_err(|error| refusal(&place, &error))?;
    }
    let socket = UnixListener::bind(path).map_err(|error| refusal(&place, &error))?;
    socket.set_nonblocking(true).map_err(|error| refusal(&place, &error))?;
    Ok(Bound::Unix { socket, path: path.to_owned() })
}

fn refusal(address: &str, error: &io::Error) -> Refusal {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": another process listens there; stop it, or choose another address"
        }
        io::ErrorKind::PermissionDenied => {
            ": this user may not; ports below 1024 need CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => ": no interface of this machine has that address",
        _ => "",
    };
    Refusal(format!("cannot listen on {address}: {error}{hint}"))
}

/// Says where clients can connect.
pub(super) fn announce(bound: &Bound, secured: bool) {
    match bound {
        Bound::Inet { at, name, .. } => {
            let scheme = if secured { "https" } else { "http" };
            notice::say(&format!("listening on {scheme}://{at} (listener {name})"));
        }
        Bound::Unix { .. } => {
            let place = bound.name();
            notice::say(&format!("listening on {place} (listener {place})"));
        }
    }
}
