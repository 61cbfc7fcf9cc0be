//! Answers that show that the origin speaks another protocol than the one it was spoken to in.

use http::{HeaderMap, HeaderValue, header as names};
use pingora::Result;
use pingora::proxy::Session;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side, sniff};

use crate::context::Case;
use crate::note::deny;

/// How far into a body its well-known words are looked for, in bytes.
pub(super) const PAGE: u64 = 1024;
/// The most of a protocol's name that is kept.
const NAME: usize = 64;

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
    let offered = offered.map_or_else(|| "nothing".to_owned(), |list| name(Some(list)));
    let failure = Failure::new(Side::Origin, Phase::Wait, Fault::Upgrade);
    Err(deny(failure.with(Key::Offered, offered).with(Key::Selected, name(selected))))
}

/// The protocols of a list.
fn listed(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A protocol by the name that a peer gave it: as much of it as can be one (RFC 9110 section 7.8).
fn name(bytes: Option<&[u8]>) -> String {
    let proper = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/.-+_".contains(byte);
    let bytes = bytes.unwrap_or_default().iter().take(NAME).take_while(proper);
    let name: String = bytes.copied().map(char::from).collect();
    if name.is_empty() { "a protocol without a name".to_owned() } else { name }
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
    fn a_protocols_name_is_what_can_be_one() {
        assert_eq!(name(Some(b"websocket")), "websocket");
        assert_eq!(name(Some(b"h2c, x")), "h2c");
        assert_eq!(name(Some(b"a\"b\x1b[31m")), "a");
        assert_eq!(name(Some(&[b'x'; 500])).len(), NAME);
        assert_eq!(name(Some(b" ")), "a protocol without a name");
        assert_eq!(name(None), "a protocol without a name");
    }
}
