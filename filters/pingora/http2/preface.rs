//! How an HTTP/2 connection begins (RFC 9113 section 3.4).

/// What a client that speaks HTTP/2 sends first.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// HTTP/2: the whole preface is there.
    Http2,
    /// They are the preface's beginning, and no request in HTTP/1.1 can begin so.
    Begun,
    /// Something else, or too little to tell.
    Other,
}

/// No method of HTTP/1.1 that is asked for a target `*` begins like this.
const TELLING: usize = b"PRI * ".len();

/// Reads them.
pub(crate) fn opening(bytes: &[u8]) -> Opening {
    if bytes.starts_with(PREFACE) {
        Opening::Http2
    } else if bytes.len() >= TELLING && PREFACE.starts_with(bytes) {
        Opening::Begun
    } else {
        Opening::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_preface_opens_http2() {
        for length in 0..PREFACE.len() {
            let told = if length < TELLING { Opening::Other } else { Opening::Begun };
            assert_eq!(opening(&PREFACE[..length]), told, "{length} bytes");
        }
        assert_eq!(opening(PREFACE), Opening::Http2);
        assert_eq!(opening(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"), Opening::Http2);
        for other in [&b"PRI / HTTP/1.1\r\n"[..], b"PRI * HTTP/2.0\r\nHost: x", b"POST / "] {
            assert_eq!(opening(other), Opening::Other);
        }
    }
}
