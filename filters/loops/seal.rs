//! The seal on an entry: by it this deployment knows an entry of its own, made a short time ago.
//!
//! The seal is an HMAC over the node, the route and the minute. It is not bound to anything of the
//! request: whatever that could be (an id, say), a proxy within the loop may rewrite it, and the
//! loop would go unnoticed. The minute bounds replays, and lets through applications that keep a
//! request's fields and send them on with work of later.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Secret;

/// Minutes for which a seal holds.
const LIFETIME: u64 = 2;
/// Minutes by which the clocks of a deployment may differ.
const SKEW: u64 = 1;
/// Bytes of a seal.
const SEAL: usize = 16;
/// Bytes of a route's hash.
const ROUTE: usize = 8;

/// The key of processes that were given none; it stays while the process lives, so that a reload
/// does not make it forget its own entries.
static MADE: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the system has random bytes");
    key
});

/// What entries are sealed with.
pub(super) struct Sealer {
    key: Hmac<Sha256>,
    node: String,
}

impl Sealer {
    pub(super) fn new(secret: Option<&Secret>, node: &str) -> Self {
        let key = secret.map_or(&MADE[..], Secret::expose);
        let key = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        Self { key, node: node.to_owned() }
    }

    /// The hash that stands for a route, which keeps its name from those who read the entry.
    pub(super) fn route(&self, name: &str) -> String {
        let mac = self.key.clone().chain_update(b"route\0").chain_update(name).finalize();
        hex(&mac.into_bytes()[..ROUTE])
    }

    /// The entry's seal, as it is written.
    pub(super) fn seal(&self, route: &str, at: SystemTime) -> String {
        let minute = minute(at);
        let mac = self.mac(route.as_bytes(), minute).finalize();
        format!("{minute:x}.{}", hex(&mac.into_bytes()[..SEAL]))
    }

    /// Whether a seal is one of this deployment's for this route, and still holds.
    pub(super) fn holds(&self, seal: &[u8], route: &[u8], now: SystemTime) -> bool {
        let Some((made, mac)) = parse(seal) else { return false };
        let now = minute(now);
        let in_time = made <= now + SKEW && now <= made.saturating_add(LIFETIME);
        in_time && self.mac(route, made).verify_truncated_left(&mac).is_ok()
    }

    fn mac(&self, route: &[u8], minute: u64) -> Hmac<Sha256> {
        let mut mac = self.key.clone().chain_update(b"entry\0").chain_update(minute.to_be_bytes());
        for part in [self.node.as_bytes(), route] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

/// The minute that a seal bears.
pub(super) fn minute(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 60)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The minute and the MAC of a seal.
fn parse(seal: &[u8]) -> Option<(u64, [u8; SEAL])> {
    let (minute, digits) = std::str::from_utf8(seal).ok()?.split_once('.')?;
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits.len() != 2 * SEAL || !hexadecimal(digits) || !hexadecimal(minute) {
        return None;
    }
    let mut mac = [0; SEAL];
    for (byte, at) in mac.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some((u64::from_str_radix(minute, 16).ok()?, mac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Duration = Duration::from_hours(500_000);

    #[test]
    fn a_seal_holds_for_what_it_was_made_for_and_for_a_while() {
        let now = UNIX_EPOCH + NOW;
        let sealer = Sealer::new(None, "edge");
        let seal = sealer.seal("r1", now);
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let holds =
            |sealer: &Sealer, route: &str, at| sealer.holds(seal.as_bytes(), route.as_bytes(), at);
        assert!(holds(&sealer, "r1", now));
        assert!(holds(&sealer, "r1", now + minutes(LIFETIME)));
        assert!(holds(&sealer, "r1", now - minutes(SKEW)));
        assert!(!holds(&sealer, "r1", now + minutes(LIFETIME + 1)));
        assert!(!holds(&sealer, "r1", now - minutes(SKEW + 1)));
        assert!(!holds(&sealer, "r2", now));
        assert!(!holds(&Sealer::new(None, "other"), "r1", now));
        let secret = Secret::try_from("a secret of ours".to_owned()).expect("long enough");
        assert!(!holds(&Sealer::new(Some(&secret), "edge"), "r1", now));
        assert!(holds(&Sealer::new(None, "edge"), "r1", now));
    }

    #[test]
    fn garbage_is_no_seal() {
        let sealer = Sealer::new(None, "edge");
        let zeros = "0".repeat(32);
        for seal in
            ["", ".", "1.", "x.y", &format!("+1.{zeros}"), &format!("ffffffffffffffffff.{zeros}")]
        {
            assert!(!sealer.holds(seal.as_bytes(), b"r", UNIX_EPOCH + NOW), "{seal}");
        }
        let last = format!("ffffffffffffffff.{zeros}");
        assert!(!sealer.holds(last.as_bytes(), b"r", UNIX_EPOCH + NOW));
        assert!(!sealer.holds(b"\xff.\xff", b"r", UNIX_EPOCH));
    }
}
