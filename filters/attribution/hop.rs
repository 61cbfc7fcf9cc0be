//! Where an attempt goes.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;

use arrayvec::ArrayString;

/// How long an address with its port is at the most (IPv4).
const ROOM: usize = "255.255.255.255:65535".len();

/// Where an attempt went.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// A host and a port.
    Inet(SocketAddr),
    /// A socket in the file system, by its path.
    Unix(Arc<str>),
}

impl NextHop {
    /// As it is shown.
    pub(super) fn text(&self) -> String {
        let mut out = String::with_capacity(ROOM);
        self.tell(&mut out);
        out
    }

    /// Puts it behind what is there.
    pub(super) fn tell(&self, out: &mut String) {
        match self {
            Self::Inet(SocketAddr::V4(address)) => out.push_str(&written(*address)),
            Self::Inet(SocketAddr::V6(_)) => out.push_str(&self.to_string()),
            Self::Unix(path) => out.extend(["unix:", path]),
        }
    }
}

impl std::fmt::Display for NextHop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inet(SocketAddr::V4(address)) => f.pad(&written(*address)),
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// As the standard library writes it, which takes its time.
fn written(address: SocketAddrV4) -> ArrayString<ROOM> {
    let mut out = ArrayString::new();
    let mut digits = itoa::Buffer::new();
    for octet in address.ip().octets() {
        out.push_str(digits.format(octet));
        out.push('.');
    }
    out.pop();
    out.push(':');
    out.push_str(digits.format(address.port()));
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_address_is_written_as_ever(address: SocketAddr) {
            let hop = NextHop::Inet(address);
            prop_assert_eq!(hop.to_string(), address.to_string());
            prop_assert_eq!(format!("{hop:>60}"), format!("{address:>60}"));
        }
    }
}
