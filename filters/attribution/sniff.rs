//! What the first bytes of an answer look like when they are not HTTP.

use super::evidence::Failure;
use super::key::Key;

/// The most of an answer that is kept as evidence, in bytes of its escaped form.
const KEPT: usize = 64;

/// How other protocols begin, in the escaped form of `u8::escape_ascii`, and their names.
const OPENINGS: [(&str, &str); 12] = [
    ("SSH-", "SSH"),
    ("\\x15\\x03", "TLS"),
    ("\\x16\\x03", "TLS"),
    ("\\x00\\x00\\x00\\x04", "HTTP/2"),
    ("\\x00\\x00\\x06\\x04", "HTTP/2"),
    ("\\x00\\x00\\x12\\x04", "HTTP/2"),
    ("\\x00\\x00\\x18\\x04", "HTTP/2"),
    ("220 ", "SMTP or FTP"),
    ("+OK", "POP3 or Redis"),
    ("-ERR", "Redis"),
    ("* OK", "IMAP"),
    ("RFB ", "VNC"),
];

/// Notes the first bytes of an answer, given in their escaped form, and the protocol they look
/// like. Only the first line is kept, so that no header field's value gets into a record.
#[must_use]
pub fn note(failure: Failure, escaped: &str) -> Failure {
    let line = escaped.split(['\r', '\n']).next().unwrap_or_default();
    let line = line.split("\\r").next().unwrap_or_default().split("\\n").next().unwrap_or_default();
    let mut end = line.len().min(KEPT);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let failure = failure.with(Key::FirstBytes, line[..end].to_owned());
    match looks_like(escaped) {
        Some(protocol) => failure.with(Key::LooksLike, protocol),
        None => failure,
    }
}

fn looks_like(escaped: &str) -> Option<&'static str> {
    let known = OPENINGS.iter().find(|(opening, _)| escaped.starts_with(opening));
    if let Some((_, protocol)) = known {
        return Some(protocol);
    }
    let text = escaped.chars().take(16).all(|c| !c.is_control()) && !escaped.contains("\\x");
    (text && !escaped.starts_with("HTTP/")).then_some("plain text without a status line (HTTP/0.9)")
}

/// What servers write into the body of a 400 when they expect TLS and are spoken to in plain HTTP:
/// nginx, Go's `net/http` (Caddy, Traefik), Apache httpd, Tomcat.
const TLS_WANTED: [&str; 4] = [
    "The plain HTTP request was sent to HTTPS port",
    "Client sent an HTTP request to an HTTPS server",
    "speaking plain HTTP to an SSL-enabled server port",
    "This combination of host and port requires TLS",
];

/// The most of a piece that is looked at: their pages are shorter.
const PAGE: usize = 1024;

/// The words by which the beginning of a 400's body, or a piece of it, says that the port expects
/// TLS.
#[must_use]
pub fn wants_tls(piece: &[u8]) -> Option<&'static str> {
    let page = &piece[..piece.len().min(PAGE)];
    let holds = |words: &str| page.windows(words.len()).any(|part| part == words.as_bytes());
    TLS_WANTED.into_iter().find(|words| holds(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{Fault, Phase, Side};

    fn noted(bytes: &[u8]) -> (String, Option<String>) {
        let failure = Failure::new(Side::Origin, Phase::Wait, Fault::Malformed);
        let failure = note(failure, &bytes.escape_ascii().to_string());
        let text = |key| failure.evidence.text(key).map(str::to_owned);
        (text(Key::FirstBytes).expect("noted"), text(Key::LooksLike))
    }

    #[test]
    fn other_protocols_are_recognised() {
        assert_eq!(noted(b"SSH-2.0-OpenSSH_9\r\n").1.as_deref(), Some("SSH"));
        assert_eq!(noted(b"\x15\x03\x01\x00\x02\x02\x46").1.as_deref(), Some("TLS"));
        assert_eq!(noted(b"\x00\x00\x12\x04\x00").1.as_deref(), Some("HTTP/2"));
        assert_eq!(noted(b"\x01\xff\xfe").1, None);
        assert_eq!(noted(b"HTTP/1.1 2000 OK\r\n").1, None);
        assert!(noted(b"<html>hello").1.is_some_and(|guess| guess.contains("HTTP/0.9")));
    }

    #[test]
    fn a_page_that_asks_for_tls_is_known_by_its_words() {
        let go = b"Client sent an HTTP request to an HTTPS server.\n";
        assert_eq!(wants_tls(go), Some("Client sent an HTTP request to an HTTPS server"));
        assert_eq!(wants_tls(b"<h1>400 Bad Request</h1>"), None);
        assert_eq!(wants_tls(b""), None);
        let far = [&[b' '; PAGE], &go[..]].concat();
        assert_eq!(wants_tls(&far), None, "not one of their pages");
        assert!(TLS_WANTED.iter().all(|words| words.len() <= KEPT));
    }

    #[test]
    fn no_header_value_is_kept() {
        let (bytes, _) = noted(b"HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\n");
        assert_eq!(bytes, "HTTP/1.1 200 OK");
        assert!(noted(&[b'a'; 500]).0.len() <= KEPT);
    }
}
