//! The id of a request.

use std::fmt;

use arrayvec::ArrayString;

/// A request's id: taken from the client's `X-Request-Id` if that is well-formed, else made
/// (a ULID: 26 characters, sortable by time). Held in place; copying it allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(ArrayString<{ Self::MAX }>);

impl RequestId {
    /// The longest id that is taken over from a client.
    pub const MAX: usize = 64;
    /// The shortest one: a shorter one could not tell requests apart.
    pub const MIN: usize = 8;

    /// A new id.
    #[must_use]
    pub fn new() -> Self {
        let mut text = [0; ulid::ULID_LEN];
        let text = ulid::Ulid::generate().array_to_str(&mut text);
        Self::parse(text.as_bytes()).expect("a ULID is a well-formed id")
    }

    /// An id from outside: 8 to 64 letters, digits, `-`, `_`, `.`, or nothing.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let well_formed = (Self::MIN..=Self::MAX).contains(&text.len())
            && text.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b));
        let text = std::str::from_utf8(text).ok().filter(|_| well_formed)?;
        Some(Self(ArrayString::from(text).expect("at most 64")))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_ids_are_taken_over() {
        assert_eq!(
            RequestId::parse(b"01JD3W-abc_9.x").expect("well-formed").as_str(),
            "01JD3W-abc_9.x"
        );
        for bad in
            [&b"short"[..], b"with space here", b"quote\"injected", &[b'a'; 65], b"line\nbreak-x"]
        {
            assert!(RequestId::parse(bad).is_none(), "{bad:?}");
        }
        assert_ne!(RequestId::new(), RequestId::new());
        assert_eq!(RequestId::new().as_str().len(), 26);
    }
}
