//! Whether an address is one of our own listeners: a request sent there would come back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use whodunit_conf::schema::address::reaches;

/// The addresses that this process listens on.
#[derive(Clone, Debug, Default)]
pub struct Listeners(Vec<SocketAddr>);

impl Listeners {
    /// These addresses; an unspecified one (`0.0.0.0`, `[::]`) stands for all of this machine's.
    #[must_use]
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        Self(addresses)
    }

    /// The listener that a connection to `address` would reach.
    #[must_use]
    pub fn reached_by(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.0.iter().copied().find(|own| reaches(address, *own, is_ours))
    }
}

/// Whether an address belongs to this machine: to reach one that does, the kernel would send from
/// that same address. Nothing is sent to find out.
fn is_ours(ip: IpAddr) -> bool {
    let any: IpAddr =
        if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0))
        .and_then(|socket| {
            socket.connect((ip, 9))?;
            socket.local_addr()
        })
        .is_ok_and(|from| from.ip() == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(own: &str, address: &str) -> bool {
        let own = Listeners::new(vec![own.parse().expect("an address")]);
        own.reached_by(address.parse().expect("an address")).is_some()
    }

    #[test]
    fn our_own_listeners_are_known_under_all_their_names() {
        assert!(reached("127.0.0.1:80", "127.0.0.1:80"));
        assert!(reached("127.0.0.1:80", "[::ffff:127.0.0.1]:80"));
        assert!(reached("0.0.0.0:80", "127.0.0.1:80"));
        assert!(reached("0.0.0.0:80", "127.9.9.9:80"));
        assert!(reached("[::]:80", "127.0.0.1:80"));
        assert!(reached("[::]:80", "[::1]:80"));
        assert!(reached("127.0.0.1:80", "0.0.0.0:80"));
    }

    #[test]
    fn other_ports_and_other_machines_are_not_ours() {
        assert!(!reached("127.0.0.1:80", "127.0.0.1:81"));
        assert!(!reached("127.0.0.1:80", "127.0.0.2:80"));
        assert!(!reached("0.0.0.0:80", "192.0.2.1:80"));
        assert!(!reached("0.0.0.0:80", "[::1]:80"));
    }
}
