//! What can be made out of a head that was refused, or that never became complete.

use std::borrow::Cow;

/// A view of the bytes of a head that may be broken. Whatever it tells is as the client sent it.
#[derive(Clone, Copy, Debug)]
pub struct Glimpse<'a>(&'a [u8], Option<&'static str>);

impl<'a> Glimpse<'a> {
    /// A view of these bytes.
    #[must_use]
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes, None)
    }

    /// A head of which nothing can be seen but the protocol that it came in.
    #[must_use]
    pub const fn hidden(protocol: &'static str) -> Self {
        Self(b"", Some(protocol))
    }

    /// The method, if what stands in its place looks like one.
    #[must_use]
    pub fn method(&self) -> Option<&'a str> {
        let method = self.part(0)?;
        let plausible = (1..=super::METHOD_MAX).contains(&method.len())
            && method.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b));
        plausible.then(|| std::str::from_utf8(method).ok())?
    }

    /// The request target, as far as it came.
    #[must_use]
    pub fn target(&self) -> Option<Cow<'a, str>> {
        self.method()?;
        self.part(1).map(String::from_utf8_lossy)
    }

    /// `HTTP/1.0` or `HTTP/1.1`, the latter as well when the client said neither; that of a
    /// [`hidden`](Self::hidden) head.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        if let Some(protocol) = self.1 {
            return protocol;
        }
        if self.line().ends_with(b" HTTP/1.0") { "HTTP/1.0" } else { "HTTP/1.1" }
    }

    /// The value of the first field with this name whose line is complete.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        let lines = self.0.split_inclusive(|b| *b == b'\n').skip(1);
        let mut lines = lines.take_while(|line| !line.trim_ascii().is_empty());
        lines.find_map(|line| {
            let line = line.strip_suffix(b"\n")?;
            let colon = line.iter().position(|b| *b == b':')?;
            line[..colon]
                .eq_ignore_ascii_case(name.as_bytes())
                .then(|| line[colon + 1..].trim_ascii())
        })
    }

    fn line(&self) -> &'a [u8] {
        self.0.split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii_end()
    }

    fn part(&self, index: usize) -> Option<&'a [u8]> {
        self.line().split(|b| *b == b' ').nth(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_head_still_tells_something() {
        let glimpse =
            Glimpse::of(b"GET /a\xff?b HTTP/1.0\r\nHost : x\r\nACCEPT: text/html \r\nHost: y");
        assert_eq!(glimpse.method(), Some("GET"));
        assert_eq!(glimpse.target().as_deref(), Some("/a\u{fffd}?b"));
        assert_eq!(glimpse.protocol(), "HTTP/1.0");
        assert_eq!(glimpse.field("accept"), Some(&b"text/html"[..]));
        assert_eq!(glimpse.field("host"), None);
        let body = Glimpse::of(b"GET / HTTP/1.1\r\na: b\r\n\r\nhost: x\r\n");
        assert_eq!((body.field("A"), body.field("host")), (Some(&b"b"[..]), None));
        let hidden = Glimpse::hidden("HTTP/2");
        assert_eq!((hidden.method(), hidden.protocol()), (None, "HTTP/2"));
        for nothing in [&b""[..], b"\x16\x03\x01", b"\r\n", b"\0\0\n\n:"] {
            let glimpse = Glimpse::of(nothing);
            assert_eq!((glimpse.method(), glimpse.target()), (None, None));
            assert_eq!(glimpse.field("host"), None);
        }
    }
}
