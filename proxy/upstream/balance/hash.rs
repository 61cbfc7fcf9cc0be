//! The same endpoint for the same key: rendezvous hashing with weights (Thaler and Ravishankar;
//! Schindelhauer and Schomaker for the weights). Each endpoint draws a lot for the key, and the
//! smallest has it. One that goes leaves its keys to the others, as their lots have it, and moves
//! no other key; there is no table, and every proxy with the same endpoints comes to the same.

use std::hash::Hasher;
use std::net::IpAddr;

use fnv::FnvHasher;
use http::HeaderMap;
use http::header::COOKIE;
use whodunit_conf::schema::address::Target;
use whodunit_conf::schema::spread::By;
use whodunit_filters::attribution::NextHop;

/// What stands for a client, the value of a header field, or a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

/// The endpoints, each by its address as it is written and with its weight.
#[derive(Debug)]
pub(super) struct Sites(Vec<(u64, f64)>);

/// The key of a request; `None` if it lacks what it is to go by.
#[must_use]
pub fn key(by: &By, headers: &HeaderMap, client: Option<IpAddr>) -> Option<Key> {
    match by {
        By::Client => client.map(|client| match client.to_canonical() {
            IpAddr::V4(address) => Key::of(&address.octets()),
            IpAddr::V6(address) => Key::of(&address.octets()),
        }),
        By::Header(name) => headers.get(name.name()).map(|value| Key::of(value.as_bytes())),
        By::Cookie(name) => cookie(headers, name.as_bytes()).map(Key::of),
    }
}

/// The value of the first cookie of this name (RFC 6265 section 5.4).
fn cookie<'h>(headers: &'h HeaderMap, name: &[u8]) -> Option<&'h [u8]> {
    let fields = headers.get_all(COOKIE).iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
}

impl Key {
    /// The key of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = FnvHasher::default();
        hasher.write(bytes);
        Self(mixed(hasher.finish()))
    }

    /// The lot that an address draws for it; the smallest wins.
    #[must_use]
    pub fn lot(self, next_hop: &NextHop) -> u64 {
        let site = match next_hop {
            NextHop::Inet(address) => match address.ip() {
                IpAddr::V4(ip) => Self::of(&ip.octets()),
                IpAddr::V6(ip) => Self::of(&ip.octets()),
            },
            NextHop::Unix(path) => Self::of(path.as_bytes()),
        };
        mixed(self.0 ^ site.0)
    }
}

impl Sites {
    pub(super) fn new(endpoints: &[(Target, u32)]) -> Self {
        let site = |(target, weight): &(Target, u32)| {
            (Key::of(target.to_string().as_bytes()).0, f64::from(*weight))
        };
        Self(endpoints.iter().map(site).collect())
    }

    /// The endpoint among those that `may` that the key belongs to.
    pub(super) fn nearest(&self, key: Key, may: impl Fn(usize) -> bool) -> Option<usize> {
        let open = self.0.iter().enumerate().filter(|(index, (_, w))| *w > 0.0 && may(*index));
        let lots = open.map(|(index, (site, weight))| (index, drawn(key.0 ^ site) / weight));
        lots.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(index, _)| index)
    }
}

/// When an event would first come that comes once in a while of 1: among several, each comes first
/// as often as it is frequent.
fn drawn(seed: u64) -> f64 {
    // 53 bits are what a double holds; never 0, whose logarithm has no end.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let uniform = ((mixed(seed) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -uniform.ln()
}

/// Every bit of the result depends on every bit given (the finish of `SplitMix64`).
const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HeaderName;

    use super::*;

    const KEYS: u32 = 20_000;

    fn sites(weights: &[u32]) -> Sites {
        let target = |last: usize| format!("10.0.0.{last}:80").parse().expect("a target");
        let endpoints: Vec<_> = weights.iter().enumerate().map(|(n, w)| (target(n), *w)).collect();
        Sites::new(&endpoints)
    }

    fn placed(sites: &Sites, may: impl Fn(usize) -> bool) -> Vec<usize> {
        let place = |key: u32| sites.nearest(Key::of(&key.to_be_bytes()), &may).expect("one may");
        (0..KEYS).map(place).collect()
    }

    fn share(placed: &[usize], of: usize) -> f64 {
        let count = placed.iter().filter(|site| **site == of).count();
        f64::from(u32::try_from(count).expect("small")) / f64::from(KEYS)
    }

    #[test]
    fn keys_are_spread_by_weight() {
        let placed = placed(&sites(&[1, 2, 0, 5]), |_| true);
        for (site, part) in [(0, 0.125), (1, 0.25), (2, 0.0), (3, 0.625)] {
            let found = share(&placed, site);
            assert!((found - part).abs() < 0.02, "{site}: {found}");
        }
    }

    #[test]
    fn an_endpoint_that_comes_takes_its_share_and_moves_no_other_key() {
        let before = placed(&sites(&[1; 9]), |_| true);
        let after = placed(&sites(&[1; 10]), |_| true);
        let moved: Vec<_> = before.iter().zip(&after).filter(|(b, a)| b != a).collect();
        assert!(moved.iter().all(|(_, to)| **to == 9), "a key moves to the new one or stays");
        let part = f64::from(u32::try_from(moved.len()).expect("small")) / f64::from(KEYS);
        assert!((part - 0.1).abs() < 0.01, "{part}");
    }

    #[test]
    fn an_endpoint_that_goes_leaves_its_keys_to_all_the_others() {
        let all = sites(&[1; 10]);
        let before = placed(&all, |_| true);
        let without = placed(&all, |site| site != 3);
        for (before, after) in before.iter().zip(&without) {
            assert!(before == after || *before == 3);
        }
        for site in (0..10).filter(|site| *site != 3) {
            assert!((share(&without, site) - 1.0 / 9.0).abs() < 0.015);
        }
        assert_eq!(all.nearest(Key::of(b"x"), |_| false), None);
    }

    #[test]
    fn more_weight_only_draws_keys_in() {
        let before = placed(&sites(&[1, 1, 1]), |_| true);
        let after = placed(&sites(&[1, 1, 2]), |_| true);
        assert!(before.iter().zip(&after).all(|(b, a)| b == a || *a == 2));
    }

    /// All proxies of a deployment, of this version and the next, have to come to the same.
    #[test]
    fn the_choice_is_the_same_everywhere() {
        assert_eq!(Key::of(b"198.51.100.7"), Key(14_828_524_396_295_628_003));
        let placed: Vec<_> = placed(&sites(&[1; 5]), |_| true).into_iter().take(12).collect();
        assert_eq!(placed, [0, 1, 4, 0, 0, 1, 2, 0, 0, 0, 4, 1]);
    }

    #[test]
    fn a_request_is_told_by_client_header_or_cookie() {
        let mut headers = HeaderMap::new();
        let user = HeaderName::from_static("x-user");
        let none = |by: &str, headers: &HeaderMap| {
            key(&by.parse().expect("something"), headers, None).is_none()
        };
        assert!(none("client", &headers) && none("header X-User", &headers));
        let mapped = "::ffff:192.0.2.1".parse().ok();
        assert_eq!(
            key(&By::Client, &headers, mapped),
            key(&By::Client, &headers, "192.0.2.1".parse().ok())
        );
        headers.insert(user, HeaderValue::from_static("ann"));
        let by = "header x-user".parse().expect("a header");
        assert_eq!(key(&by, &headers, None), Some(Key::of(b"ann")));
        headers.append(COOKIE, HeaderValue::from_static("asid=1; b=2"));
        assert!(none("cookie sid", &headers), "the end of another name is not the name");
        headers.append(COOKIE, HeaderValue::from_static("b=3;sid=abc ; sid=x"));
        let by = "cookie sid".parse().expect("a cookie");
        assert_eq!(key(&by, &headers, None), Some(Key::of(b"abc")));
    }
}
