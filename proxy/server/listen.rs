//! Sockets, bound before anything else: one that cannot be had ends the process at once.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pingora::apps::ServerApp;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::server::{Fds, ListenFds};
use pingora::services::listening::Service;
use socket2::{Domain, Protocol, Socket, Type};
use whodunit_conf::Config;
use whodunit_conf::schema::address::Address;

use super::Refusal;
use super::inherited::{Inherited, Listener};
use crate::notice;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 65_535;

/// A listener's socket.
pub(super) enum Bound {
    Inet { socket: TcpListener, name: Arc<str>, at: SocketAddr },
    Unix { socket: UnixListener, path: PathBuf },
}

/// A listener as it stands in the configuration, and what it came to.
pub(crate) struct Listening {
    written: Address,
    at: Option<SocketAddr>,
    name: Arc<str>,
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
}

/// The sockets once more, each with the address it was bound for: what a successor is handed.
#[derive(Clone)]
pub(super) struct Handed(Arc<Mutex<Vec<(Address, OwnedFd)>>>);

impl Handed {
    pub(super) fn of(
        config: &Config,
        sockets: &[Bound],
        admin: Option<&TcpListener>,
    ) -> io::Result<Self> {
        let mut handed = Vec::new();
        for (listener, bound) in config.listeners.iter().zip(sockets) {
            handed.push((listener.address.clone(), bound.copy()?));
        }
        if let (Some(address), Some(admin)) = (&config.admin.address, admin) {
            handed.push((address.clone(), admin.as_fd().try_clone_to_owned()?));
        }
        Ok(Self(Arc::new(Mutex::new(handed))))
    }

    pub(super) fn copies(&self) -> io::Result<Vec<(Address, OwnedFd)>> {
        let handed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let copies = handed.iter().map(|(at, socket)| Ok((at.clone(), socket.try_clone()?)));
        copies.collect()
    }

    /// Nobody is to connect to them any more.
    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Binds every listener of the configuration that is not there already.
pub(super) fn bind(config: &Config, inherited: &Inherited) -> Result<Vec<Bound>, Refusal> {
    let sockets = config.listeners.iter().map(|listener| match &listener.address {
        Address::Tcp(address) => inet(*address, inherited),
        Address::Unix(path) => unix(path.as_ref(), inherited),
    });
    sockets.collect()
}

/// Binds the admin listener, if there is one.
pub(super) fn admin(
    config: &Config,
    inherited: &Inherited,
) -> Result<Option<TcpListener>, Refusal> {
    let Some(address) = config.admin.address.as_ref().and_then(Address::tcp) else {
        return Ok(None);
    };
    open(address, inherited).map(Some).map_err(|error| refusal(&address.to_string(), &error))
}

fn inet(address: SocketAddr, inherited: &Inherited) -> Result<Bound, Refusal> {
    let socket = open(address, inherited).map_err(|error| refusal(&address.to_string(), &error))?;
    let at = socket.local_addr().map_err(|error| refusal(&address.to_string(), &error))?;
    let name: Arc<str> = at.to_string().into();
    Ok(Bound::Inet { socket, name, at })
}

fn open(address: SocketAddr, inherited: &Inherited) -> io::Result<TcpListener> {
    if let Some(Listener::Tcp(listener)) = inherited.take(&Address::Tcp(address)) {
        return Ok(listener);
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A socket file that nobody answers at is what a process that was killed left behind.
fn unix(path: &Path, inherited: &Inherited) -> Result<Bound, Refusal> {
    if let Some(Listener::Unix(socket)) = inherited.take(&Address::Unix(path.to_owned())) {
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
pub(super) fn announce(sockets: &[Bound]) {
    for bound in sockets {
        match bound {
            Bound::Inet { at, name, .. } => {
                notice::say(&format!("listening on http://{at} (listener {name})"));
            }
            Bound::Unix { path, .. } => {
                let place = format!("unix:{}", path.display());
                notice::say(&format!("listening on {place} (listener {place})"));
            }
        }
    }
}

/// What the listeners of this configuration came to; `sockets` are what was bound for them.
pub(super) fn listening(config: &Config, sockets: &[Bound]) -> Vec<Listening> {
    let pairs = config.listeners.iter().zip(sockets);
    let listening = pairs.map(|(listener, bound)| {
        let (at, name) = match bound {
            Bound::Inet { at, name, .. } => (Some(*at), name.clone()),
            Bound::Unix { path, .. } => (None, format!("unix:{}", path.display()).into()),
        };
        Listening { written: listener.address.clone(), at, name }
    });
    listening.collect()
}

/// The listeners for attribution: their names, and what a configuration says of each. A listener
/// that it does not hold keeps its name, and takes nothing but HTTP/1.
pub(super) fn known(listening: &[Listening], config: &Config) -> whodunit_pingora::Listeners {
    let named = listening.iter().filter_map(|one| Some((one.at?, one.name.clone())));
    let mut left: Vec<_> = config.listeners.iter().collect();
    let h2c = listening.iter().filter_map(|one| {
        // Several may be written alike: port 0 is another one each time.
        let place = left.iter().position(|listener| listener.address == one.written)?;
        left.remove(place).h2c.then(|| one.name.clone())
    });
    let h2c = h2c.collect();
    whodunit_pingora::Listeners::new(named.collect()).with_h2c(h2c)
}

/// Without a buffer for what is read, which would take 64 KiB a connection: the ingress reads into
/// one of its own, and only while there is something to read.
fn lean(listener: ListenerConfig) -> ListenerConfig {
    listener.l4_buffer(L4BufferSettings::default().read(0))
}

/// Gives the sockets to Pingora, which knows them by address.
pub(super) fn hand_over<A: ServerApp + Send + Sync + 'static>(
    service: &mut Service<A>,
    sockets: Vec<Bound>,
) -> ListenFds {
    let mut fds = Fds::new();
    for bound in sockets {
        match bound {
            Bound::Inet { socket, at, .. } => {
                service.add_listener(lean(ListenerConfig::tcp(at.to_string())));
                fds.add(at.to_string(), socket.into_raw_fd());
            }
            Bound::Unix { socket, path } => {
                let path = path.to_string_lossy().into_owned();
                service.add_listener(lean(ListenerConfig::uds(path.as_str())));
                fds.add(path, socket.into_raw_fd());
            }
        }
    }
    Arc::new(parking_lot::Mutex::new(fds))
}
