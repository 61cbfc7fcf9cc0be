//! How many connections each client has open, as long as that is limited.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use whodunit_filters::attribution::cause::proxy::RATE_LIMITED;
use whodunit_filters::attribution::{Failure, Key};

/// Clients that have connections open: never more than there are connections.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<HashMap<Client, u32>>);

/// Whoever counts as one: an address, or in IPv6 a network of 64 bits, of which one host has as many
/// addresses as it likes (RFC 4291 section 2.5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Client {
    V4(u32),
    V6(u64),
}

/// A connection that is counted, until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    clients: Arc<Clients>,
    client: Client,
}

impl From<IpAddr> for Client {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => {
                Self::V6(u64::try_from(ip.to_bits() >> 64).expect("half of 128 bits"))
            }
        }
    }
}

impl Clients {
    /// A place for one more connection of the client at this address.
    ///
    /// # Errors
    /// `rate_limited` when it has `most` open already.
    pub(crate) fn seat(self: &Arc<Self>, ip: IpAddr, most: u32) -> Result<Seat, Failure> {
        let client = Client::from(ip);
        let mut open = self.locked();
        let count = open.entry(client).or_default();
        if *count >= most {
            return Err(Failure::denied(&RATE_LIMITED)
                .with(Key::Open, u64::from(*count) + 1)
                .with(Key::MaxCount, u64::from(most))
                .with(Key::Setting, "limits.connections_per_client"));
        }
        *count += 1;
        Ok(Seat { clients: self.clone(), client })
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Client, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.clients.locked();
        let Some(count) = open.get_mut(&self.client) else { return };
        *count -= 1;
        if *count == 0 {
            open.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_client_has_places_of_its_own_until_it_leaves() {
        let clients = Arc::new(Clients::default());
        let first = clients.seat(ip("192.0.2.1"), 2).expect("room for two");
        let mapped = clients.seat(ip("::ffff:192.0.2.1"), 2).expect("room for two");
        let full = clients.seat(ip("192.0.2.1"), 2).expect_err("no room for three");
        assert_eq!(full.evidence.number(Key::Open), Some(3));
        assert_eq!(full.evidence.number(Key::MaxCount), Some(2));
        let other = clients.seat(ip("192.0.2.2"), 2).expect("another one");
        drop(first);
        drop(clients.seat(ip("192.0.2.1"), 2).expect("one has left"));
        drop((mapped, other));
        assert!(clients.locked().is_empty(), "nothing is kept of who has left");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let clients = Arc::new(Clients::default());
        let _one = clients.seat(ip("2001:db8:0:1::1"), 1).expect("room");
        clients.seat(ip("2001:db8:0:1:ffff::2"), 1).expect_err("the same network");
        clients.seat(ip("2001:db8:0:2::1"), 1).expect("another one");
    }
}
