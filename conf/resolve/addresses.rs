//! The addresses this process listens on: they must not clash, must not be endpoints, and the
//! operators' one must not stand open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::{Check, steps};
use crate::schema::address::{Address, Target, reaches, takes};
use crate::tree::Step;

/// The addresses that this process listens on.
pub(super) struct Own(Vec<Address>);

impl Own {
    /// The listening address that a connection to `target` would reach, as far as that can be told
    /// without resolving names or asking the machine for its addresses: `localhost` and, where a
    /// listener takes every address, loopback count as ours. The proxy looks again, at the
    /// addresses, before it connects.
    pub(super) fn reached(&self, target: &Target) -> Option<&Address> {
        match target {
            Target::Ip(address) => self.reached_by(*address),
            Target::Name(host, port) => {
                let host = host.strip_suffix('.').unwrap_or(host);
                // RFC 6761 section 6.3: these names are loopback.
                if host != "localhost" && !host.ends_with(".localhost") {
                    return None;
                }
                let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
                loopback.iter().find_map(|ip: &IpAddr| self.reached_by((*ip, *port).into()))
            }
            Target::Unix(path) => self
                .0
                .iter()
                .find(|own| matches!(own, Address::Unix(own) if own == Path::new(&**path))),
        }
    }

    fn reached_by(&self, target: SocketAddr) -> Option<&Address> {
        self.0.iter().find(|own| own.tcp().is_some_and(|own| reaches(target, own, |_| false)))
    }
}

/// Whether two sockets cannot be bound side by side.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let (ip, other_ip) = (one.ip(), other.ip());
    one.port() == other.port()
        && one.port() != 0
        && (ip == other_ip || takes(ip, other_ip) || takes(other_ip, ip))
}

pub(super) fn check(check: &mut Check<'_>) -> Own {
    let config = check.config;
    let mut seen: Vec<(Address, Vec<Step<'_>>)> = Vec::new();
    let listeners = config.listeners.iter().enumerate();
    let listeners = listeners
        .map(|(index, one)| (&one.address, steps!["listeners", index, "address"].to_vec()));
    let admin = config.admin.address.iter().map(|one| (one, steps!["admin", "address"].to_vec()));
    for (address, path) in listeners.chain(admin) {
        if !check.knows(&path) {
            continue;
        }
        let clashing = seen.iter().find(|(earlier, _)| match (earlier.tcp(), address.tcp()) {
            (Some(one), Some(other)) => clash(one, other),
            _ => earlier == address,
        });
        if let Some((earlier, first)) = clashing {
            let says = if earlier == address {
                format!("`{address}` is listened on twice")
            } else {
                format!("`{address}` cannot be listened on beside `{earlier}`, which takes it too")
            };
            let problem = check.error(&path, says).other(check.at(first), "the other listener");
            check.push(problem);
        }
        seen.push((address.clone(), path));
    }
    exposed(check);
    Own(seen.into_iter().map(|(address, _)| address).collect())
}

/// The operators' listener shows hosts, paths and addresses of clients.
fn exposed(check: &mut Check<'_>) {
    let admin = &check.config.admin;
    let Some(address) = &admin.address else { return };
    let Some(address) = address.tcp() else {
        let says = "the operators' listener cannot be a Unix socket in this version".to_owned();
        let help = "write an address on loopback: `127.0.0.1:9901`";
        let problem = check.error(&steps!["admin", "address"], says).help(help);
        check.push(problem);
        return;
    };
    if !address.ip().to_canonical().is_loopback()
        && admin.token.is_none()
        && check.knows(&steps!["admin", "token"])
    {
        let says = format!("`{address}` can be reached by others, and there is no `admin.token`");
        let help = "set `admin.token`, or listen on loopback: `127.0.0.1:9901`";
        let problem = check.error(&steps!["admin", "address"], says).help(help);
        check.push(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(addresses: &[&str]) -> Own {
        Own(addresses.iter().map(|text| text.parse().expect("an address")).collect())
    }

    #[test]
    fn endpoints_that_are_ourselves_are_seen() {
        let wide = own(&["0.0.0.0:80", "[::]:81", "unix:/run/w.sock"]);
        for ours in [
            "127.0.0.1:80",
            "127.9.9.9:80",
            "localhost:80",
            "0.0.0.0:80",
            "[::1]:81",
            "127.0.0.1:81",
            "[::ffff:127.0.0.1]:80",
            "unix:/run/w.sock",
            "x.localhost:81",
        ] {
            assert!(wide.reached(&ours.parse().expect("a target")).is_some(), "{ours}");
        }
        for other in
            ["127.0.0.1:82", "[::1]:80", "10.0.0.1:80", "example.net:80", "unix:/run/x.sock"]
        {
            assert!(wide.reached(&other.parse().expect("a target")).is_none(), "{other}");
        }
        assert!(own(&["10.0.0.1:80"]).reached(&"10.0.0.1:80".parse().expect("a target")).is_some());
        assert!(
            own(&["10.0.0.1:80"]).reached(&"127.0.0.1:80".parse().expect("a target")).is_none()
        );
    }

    #[test]
    fn sockets_clash_as_the_kernel_sees_it() {
        let clash = |one: &str, other: &str| {
            clash(one.parse().expect("an address"), other.parse().expect("an address"))
        };
        assert!(clash("0.0.0.0:80", "127.0.0.1:80"));
        assert!(clash("[::]:80", "127.0.0.1:80") && clash("0.0.0.0:80", "[::]:80"));
        assert!(!clash("0.0.0.0:80", "[::1]:80") && !clash("127.0.0.1:80", "127.0.0.2:80"));
        assert!(!clash("127.0.0.1:0", "127.0.0.1:0") && !clash("0.0.0.0:80", "0.0.0.0:81"));
    }
}
