//! Whose word about the client is believed: addresses of proxies in front of this one.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::chain::Peer;
use crate::network::is_private;

/// `X-Forwarded-For`.
pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A set of peers: a network (`10.0.0.0/8`), an address, or the word `private`: loopback, RFC 1918,
/// RFC 4193 and link-local addresses, and Unix sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Trust {
    /// What only somebody near by can be.
    Private,
    /// A network.
    Net(IpNet),
}

impl Trust {
    fn holds(self, peer: Peer) -> bool {
        match (self, peer.ip()) {
            (Self::Private, None) => true,
            (Self::Private, Some(ip)) => is_private(ip),
            (Self::Net(net), Some(ip)) => net.contains(&ip),
            (Self::Net(_), None) => false,
        }
    }
}

/// Whether the peer is in one of these sets.
#[must_use]
pub fn trusts(trusted: &[Trust], peer: Peer) -> bool {
    trusted.iter().any(|trust| trust.holds(peer))
}

/// The client itself: the nearest station that is not trusted, going back from the peer along
/// `X-Forwarded-For`. If all are trusted it is the farthest one; what is no address ends the way
/// there. `None` if that leaves nothing but a Unix socket.
#[must_use]
pub fn real_client(trusted: &[Trust], peer: Peer, headers: &HeaderMap) -> Option<IpAddr> {
    let mut client = peer.ip();
    if !trusts(trusted, peer) {
        return client;
    }
    let lines = headers.get_all(X_FORWARDED_FOR);
    let stations = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|b| *b == b','));
    for station in stations {
        let Some(ip) = address(station.trim_ascii()) else { break };
        client = Some(ip);
        if !trusts(trusted, Peer::Inet((ip, 0).into())) {
            break;
        }
    }
    client
}

/// An address, also with a port, as some proxies write it.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let ip = text.parse().ok().or_else(|| {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        bare.and_then(|text| text.parse().ok())
    });
    let ip =
        ip.or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))?;
    Some(ip.to_canonical())
}

/// A network of IPv4 addresses in IPv6 clothes (RFC 4291 section 2.5.5.2) as one of IPv4: that is how
/// peers are looked at.
fn canonical(net: IpNet) -> IpNet {
    let mapped = match net.network() {
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
        IpAddr::V4(_) => None,
    };
    let length = net.prefix_len().checked_sub(96);
    mapped.zip(length).and_then(|(ip, length)| IpNet::new(ip.into(), length).ok()).unwrap_or(net)
}

impl TryFrom<String> for Trust {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "private" {
            return Ok(Self::Private);
        }
        let net = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        net.map(|net| Self::Net(canonical(net))).ok_or_else(|| {
            format!(
                "`{text}` is no set of addresses: write a network such as `10.0.0.0/8`, an address, or `private`"
            )
        })
    }
}

impl From<Trust> for String {
    fn from(trust: Trust) -> Self {
        match trust {
            Trust::Private => "private".to_owned(),
            Trust::Net(net) => net.to_string(),
        }
    }
}

impl JsonSchema for Trust {
    fn schema_name() -> Cow<'static, str> {
        "Trust".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A network (`10.0.0.0/8`), an address, or `private`: loopback, RFC 1918, RFC 4193 and link-local addresses, and Unix sockets."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn peer(ip: &str) -> Peer {
        Peer::Inet((ip.parse::<IpAddr>().expect("an address"), 1).into())
    }

    #[test]
    fn private_is_what_only_somebody_near_by_can_be() {
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(trusts(&[Trust::Private], peer(near)), "{near}");
        }
        for far in ["198.51.100.7", "172.32.0.1", "2001:db8::1", "::ffff:198.51.100.7"] {
            assert!(!trusts(&[Trust::Private], peer(far)), "{far}");
        }
        assert!(trusts(&[Trust::Private], Peer::Unix));
        let net = Trust::try_from("198.51.100.0/24".to_owned()).expect("a network");
        assert!(trusts(&[net], peer("198.51.100.9")));
        assert!(!trusts(&[net], peer("127.0.0.1")) && !trusts(&[net], Peer::Unix));
        let one = Trust::try_from("2001:db8::1".to_owned()).expect("an address");
        assert!(trusts(&[one], peer("2001:db8::1")) && !trusts(&[one], peer("2001:db8::2")));
        assert!(Trust::try_from("public".to_owned()).expect_err("no set").contains("private"));
    }

    #[test]
    fn the_client_is_the_nearest_station_that_is_not_trusted() {
        for (from, lines, client) in [
            ("198.51.100.7", &["203.0.113.9"][..], Some("198.51.100.7")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &["203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &["6.6.6.6, 203.0.113.9, 10.0.0.2"], Some("203.0.113.9")),
            ("10.0.0.1", &["6.6.6.6", "203.0.113.9", "10.0.0.2"], Some("203.0.113.9")),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            ("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], Some("10.0.0.2")),
            ("10.0.0.1", &["203.0.113.9:5000"], Some("203.0.113.9")),
            ("10.0.0.1", &["[2001:db8::9]:5000"], Some("2001:db8::9")),
            ("10.0.0.1", &["[2001:db8::9]"], Some("2001:db8::9")),
            ("unix", &["203.0.113.9"], Some("203.0.113.9")),
            ("unix", &[], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
            }
            let peer = if from == "unix" { Peer::Unix } else { peer(from) };
            let expected = client.map(|ip| ip.parse().expect("an address"));
            assert_eq!(
                real_client(&[Trust::Private], peer, &headers),
                expected,
                "{from} {lines:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_field_is_read(value in proptest::collection::vec(32_u8..=255, 0..200)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut headers = HeaderMap::new();
                headers.insert(X_FORWARDED_FOR, value);
                prop_assert!(real_client(&[Trust::Private], peer("::1"), &headers).is_some());
            }
        }
    }
}
