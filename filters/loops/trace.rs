//! The field's value as others may have written it: a list of stations, each an id and parameters
//! (RFC 8586 section 2). Whatever a peer sends is read in one pass, and nothing is copied.

use http::{HeaderMap, HeaderName};

/// The longest entry that is passed on. A host name, a port and two parameters need a third of it.
const LONGEST: usize = 1_024;

/// One station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a>(&'a [u8]);

/// The entries of one field line.
struct Entries<'a> {
    rest: &'a [u8],
    /// Whether a quoted string was opened and never closed: then quotes mean nothing on the rest of
    /// the line. Else a client could send one quote, and swallow by it all that is added later.
    quotes_broken: bool,
}

/// All stations, in order, over all lines of the field. Empty list elements are none.
pub(super) fn entries<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = Entry<'a>> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| Entries { rest: line.as_bytes(), quotes_broken: false })
        .filter(|entry| !entry.0.is_empty())
}

/// Splits at the first `separator` outside quoted strings (RFC 9110 section 5.6.4). The third part
/// tells whether a quoted string was left open.
fn split(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>, bool) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if !quoted && *byte == separator => {
                return (&text[..at], Some(&text[at + 1..]), false);
            }
            _ => {}
        }
    }
    (text, None, quoted)
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut entry = self.rest;
        let mut after = None;
        if !self.quotes_broken {
            (entry, after, self.quotes_broken) = split(self.rest, b',');
        }
        if self.quotes_broken {
            let mut parts = self.rest.splitn(2, |byte| *byte == b',');
            entry = parts.next().unwrap_or_default();
            after = parts.next();
        }
        self.rest = after.unwrap_or_default();
        Some(Entry(entry.trim_ascii()))
    }
}

impl<'a> Entry<'a> {
    /// The station's id; whatever stands in its place.
    pub(super) fn id(self) -> &'a [u8] {
        split(self.0, b';').0.trim_ascii()
    }

    /// A parameter's value, without the quotes it may stand in.
    pub(super) fn parameter(self, name: &str) -> Option<&'a [u8]> {
        let mut rest = split(self.0, b';').1;
        while let Some(parameters) = rest {
            let (parameter, after, _) = split(parameters, b';');
            rest = after;
            let Some(equals) = parameter.iter().position(|byte| *byte == b'=') else { continue };
            let (key, value) = (&parameter[..equals], parameter[equals + 1..].trim_ascii());
            if key.trim_ascii().eq_ignore_ascii_case(name.as_bytes()) {
                let bare = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
                return Some(bare.unwrap_or(value));
            }
        }
        None
    }

    /// The entry as it came, to be passed on. `None` for one that would spoil those after it, or
    /// that is longer than any station needs.
    pub(super) fn whole(self) -> Option<&'a [u8]> {
        let (.., open) = split(self.0, b',');
        (!open && self.0.len() <= LONGEST).then_some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::HeaderName;
    use proptest::prelude::*;

    const NAME: HeaderName = HeaderName::from_static("cdn-loop");

    fn ids(lines: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(NAME, HeaderValue::from_static(line));
        }
        entries(&headers, &NAME)
            .map(|entry| String::from_utf8_lossy(entry.id()).into_owned())
            .collect()
    }

    #[test]
    fn lists_are_read_as_they_may_be_written() {
        assert_eq!(ids(&["foo123.foocdn.example, barcdn.example; trace=\"abcdef\""]).len(), 2);
        assert_eq!(ids(&["AnotherCDN; abc=123; def=\"456\"", "x"]), ["AnotherCDN", "x"]);
        assert_eq!(ids(&[" , ,a ;b,,\t", "", ","]), ["a"]);
        assert_eq!(ids(&["a; b=\"x, y; \\\" z\", c"]), ["a", "c"]);
        assert_eq!(ids(&["a; b=\", c; d=e\", f"]), ["a", "f"]);
        assert_eq!(ids(&["a; b=\", c; d=e, f"]), ["a", "c", "f"]);
    }

    #[test]
    fn parameters_are_found() {
        let entry = Entry(b"a; R = 1;t=\"2;3\" ;x; y=\"\"");
        assert_eq!(entry.parameter("r"), Some(&b"1"[..]));
        assert_eq!(entry.parameter("t"), Some(&b"2;3"[..]));
        assert_eq!(entry.parameter("y"), Some(&b""[..]));
        assert_eq!(entry.parameter("x"), None);
        assert_eq!(Entry(b"r=1").parameter("r"), None);
    }

    #[test]
    fn what_would_spoil_the_list_is_not_passed_on() {
        assert_eq!(Entry(b"a; b=\"").whole(), None);
        assert_eq!(Entry(&[b'a'; LONGEST + 1]).whole(), None);
        assert_eq!(Entry(b"=; garbage \xff").whole(), Some(&b"=; garbage \xff"[..]));
    }

    proptest! {
        #[test]
        fn what_is_added_is_always_seen(value in proptest::collection::vec(32_u8..=255, 0..300)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(NAME, value);
            }
            let mut kept: Vec<&[u8]> =
                entries(&headers, &NAME).filter_map(Entry::whole).collect();
            kept.push(b"edge; r=1; t=2");
            let mut forwarded = HeaderMap::new();
            let value = HeaderValue::from_bytes(&kept.join(&b", "[..])).expect("came in a field");
            forwarded.insert(NAME, value);
            let again: Vec<Entry<'_>> = entries(&forwarded, &NAME).collect();
            prop_assert_eq!(again.len(), kept.len());
            let last = again.last().expect("what was added");
            prop_assert_eq!(last.id(), b"edge");
            prop_assert_eq!(last.parameter("t"), Some(&b"2"[..]));
        }
    }
}
