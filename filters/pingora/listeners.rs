//! The names of listeners in records and metrics.

use std::net::SocketAddr as InetAddress;
use std::sync::Arc;

use pingora::protocols::SocketDigest;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::raw_connect::ProxyDigest;

use crate::house::Entrance;

/// The listeners as they stand in the configuration. A connection tells only the address that it
/// came in at, and a listener on all addresses (`0.0.0.0:80`) has many of those.
#[derive(Clone, Debug, Default)]
pub struct Listeners(Vec<(InetAddress, Arc<str>)>, Vec<Arc<str>>);

impl Listeners {
    /// These listeners, each with the address that it is bound to and its name.
    #[must_use]
    pub fn new(listeners: Vec<(InetAddress, Arc<str>)>) -> Self {
        Self(listeners, Vec::new())
    }

    /// The same, of which those with these names take HTTP/2 without TLS as well, by prior
    /// knowledge (RFC 9113 section 3.3). A Unix socket's name is `unix:` and its path. None do by
    /// default.
    #[must_use]
    pub fn with_h2c(mut self, names: Vec<Arc<str>>) -> Self {
        self.1 = names;
        self
    }

    /// Whether the listener that a connection came in at takes HTTP/2 without TLS.
    pub(crate) fn speaks_h2c(&self, local: &SocketAddr) -> bool {
        !self.1.is_empty() && self.1.contains(&self.name(local))
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = Arc<str>> + '_ {
        self.0.iter().map(|(_, name)| name.clone())
    }

    /// The name of the listener that a connection came in at; the address itself when none fits.
    #[must_use]
    pub fn name(&self, local: &SocketAddr) -> Arc<str> {
        let SocketAddr::Inet(local) = local else { return address(local).into() };
        let same = |(bound, _): &&(InetAddress, Arc<str>)| bound == local;
        let covers = |(bound, _): &&(InetAddress, Arc<str>)| {
            bound.port() == local.port() && bound.ip().is_unspecified()
        };
        let found = self.0.iter().find(same).or_else(|| self.0.iter().find(covers));
        found.map_or_else(|| local.to_string().into(), |(_, name)| name.clone())
    }
}

/// Where a request came in.
#[derive(Clone, Debug)]
pub(crate) enum Where {
    /// At a listener that its connection knows.
    Listener(Arc<str>),
    /// At this address: a listener of Pingora's.
    At(SocketAddr),
}

impl Where {
    /// What the parts of a connection's digest tell.
    pub(crate) fn of(
        entrance: Option<&ProxyDigest>,
        socket: Option<&SocketDigest>,
    ) -> Option<Self> {
        match entrance.and_then(Entrance::of) {
            Some(entrance) => Some(Self::Listener(entrance.listener.clone())),
            None => socket.and_then(SocketDigest::local_addr).cloned().map(Self::At),
        }
    }

    /// The listener's name.
    pub(crate) fn name(&self, listeners: &Listeners) -> Arc<str> {
        match self {
            Self::Listener(name) => name.clone(),
            Self::At(address) => listeners.name(address),
        }
    }
}

/// An address as it stands in records.
pub(crate) fn address(address: &SocketAddr) -> String {
    match address {
        SocketAddr::Inet(inet) => inet.to_string(),
        SocketAddr::Unix(unix) => match unix.as_pathname() {
            Some(path) => format!("unix:{}", path.display()),
            None => "unix:".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_has_one_name() {
        let listeners = Listeners::new(vec![
            (([0, 0, 0, 0], 80).into(), "0.0.0.0:80".into()),
            (([127, 0, 0, 1], 81).into(), "inner".into()),
        ]);
        let name = |address: ([u8; 4], u16)| listeners.name(&SocketAddr::Inet(address.into()));
        assert_eq!(&*name(([10, 0, 0, 1], 80)), "0.0.0.0:80");
        assert_eq!(&*name(([127, 0, 0, 1], 81)), "inner");
        assert_eq!(&*name(([127, 0, 0, 1], 82)), "127.0.0.1:82");
    }
}
