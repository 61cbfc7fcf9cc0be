//! The deployment's name as it stands in `Via`, `CDN-Loop` and `Forwarded`.

use std::net::Ipv6Addr;

/// The longest name that is used whole.
const MAX: usize = 255;

/// Whether a byte may stand in a token (RFC 9110 section 5.6.2).
pub(crate) const fn is_token(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z'
        | b'^'..=b'z' | b'|' | b'~')
}

/// `node` as a host with or without a port, or a pseudonym (RFC 9110 section 7.6.3, RFC 8586
/// section 2): a byte that may not stand there becomes `-`.
pub fn identifier(node: &str) -> String {
    let node = &node.as_bytes()[..node.len().min(MAX)];
    let (host, port) = match node.iter().rposition(|byte| *byte == b':') {
        Some(colon) if is_port(&node[colon + 1..]) => node.split_at(colon),
        _ => (node, &[][..]),
    };
    let literal = std::str::from_utf8(host).ok().is_some_and(|host| {
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok())
    });
    let clean = |byte: u8| if literal || is_token(byte) { char::from(byte) } else { '-' };
    let clean: String =
        host.iter().map(|byte| clean(*byte)).chain(port.iter().copied().map(char::from)).collect();
    if clean.is_empty() { "-".to_owned() } else { clean }
}

fn is_port(digits: &[u8]) -> bool {
    (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_stays_and_another_is_made_to_fit() {
        for good in ["edge-1.example.net", "edge:8080", "[2001:db8::1]:443", "[::1]", "a_b~c"] {
            assert_eq!(identifier(good), good);
        }
        for (bad, clean) in [
            ("", "-"),
            ("my laptop", "my-laptop"),
            ("a,b;c\"d\r\n", "a-b-c-d--"),
            ("a:b", "a-b"),
            ("[x]:80", "-x-:80"),
            ("é", "--"),
            ("a:123456", "a-123456"),
        ] {
            assert_eq!(identifier(bad), clean, "{bad:?}");
        }
        assert_eq!(identifier(&"x".repeat(999)).len(), MAX);
    }
}
