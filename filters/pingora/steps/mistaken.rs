//! Answers that show that the origin speaks another protocol than the one it was spoken to in.

use http::{HeaderMap, HeaderValue, header as names};
use pingora::Result;
use pingora::proxy::Session;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side, sniff};

use crate::context::Case;
use crate::note::deny;

/// How far into a body its well-known words are looked for, in bytes.
pub(super) const PAGE: u64 = 1024;
/// The protocols that are called by their names: those of the IANA registry of upgrade tokens, and
/// what containers are spoken to in.
const KNOWN: [&str; 14] = [
    "websocket",
    "h2c",
    "HTTP/1.0",
    "HTTP/1.1",
    "HTTP/2.0",
    "TLS/1.0",
    "TLS/1.1",
    "TLS/1.2",
    "connect-ip",
    "connect-udp",
    "IRC/6.9",
    "RTA/x11",
    "SPDY/3.1",
    "tcp",
];

/// The origin switches protocols. It may, if it was asked to, and to what it was asked for; one that
/// does not say to what it switches is taken at its word, as everywhere.
pub(super) fn switched(case: &Case, headers: &HeaderMap) -> Result<()> {
    let offered = case.upgrade.as_ref().map(HeaderValue::as_bytes);
    let selected = headers.get(names::UPGRADE).map(HeaderValue::as_bytes);
    let agreed = |offered| {
        selected.is_none_or(|s| {
            listed(s).any(|one| listed(offered).any(|o| o.eq_ignore_ascii_case(one)))
        })
    };
    if offered.is_some_and(agreed) {
        return Ok(());
    }
    let offered = offered.map_or("nothing", |list| name(Some(list)));
    let failure = Failure::new(Side::Origin, Phase::Wait, Fault::Upgrade);
    Err(deny(failure.with(Key::Offered, offered).with(Key::Selected, name(selected))))
}

/// The protocols of a list.
fn listed(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A protocol by its name, if that is one of [`KNOWN`]: what else a peer writes there could be
/// anything.
fn name(bytes: Option<&[u8]>) -> &'static str {
    let Some(first) = bytes.and_then(|bytes| listed(bytes).next()) else { return "no protocol" };
    let known = KNOWN.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(first));
    known.copied().unwrap_or("a protocol that is not known here")
}

/// A piece of the beginning of a 400's body: it may say that the port expects TLS. Where its header has not gone out
/// yet, ours takes its place; where it has, only the record can tell.
pub(super) fn wants_tls(session: &Session, case: &mut Case, piece: &[u8]) -> Result<()> {
    if case.secured {
        return Ok(());
    }
    let Some(words) = sniff::wants_tls(piece) else { return Ok(()) };
    let failure = Failure::new(Side::Origin, Phase::Wait, Fault::Malformed)
        .with(Key::Rule, "a 400 that asks for TLS, by its well-known words")
        .with(Key::FirstBytes, words)
        .with(Key::LooksLike, "TLS");
    if session.response_written().is_none() {
        return Err(deny(failure));
    }
    case.fail(failure);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_has_a_name_where_that_is_known() {
        assert_eq!(name(Some(b"websocket")), "websocket");
        assert_eq!(name(Some(b"spdy/3.1, x")), "SPDY/3.1");
        for unknown in [&b"a\"b\x1b[31m"[..], b" ", b"", b"secret, h2c", &[b'x'; 500]] {
            assert_eq!(name(Some(unknown)), "a protocol that is not known here");
        }
        assert_eq!(name(None), "no protocol");
    }
}
