//! What never reaches a log: the values of query parameters that hold secrets, and user names and
//! passwords in addresses.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The names of query parameters whose values are written as `***`, in any case, percent-encoded
/// or not, and as a part of a compound name (`user[password]`). Default: `token`, `access_token`,
/// `refresh_token`, `id_token`, `api_key`, `apikey`, `key`, `secret`, `password`, `passwd`, `pwd`,
/// `signature`, `sig`, `code`, `session`, `auth`, `jwt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Redact(pub Vec<String>);

impl Default for Redact {
    fn default() -> Self {
        let names = "token access_token refresh_token id_token api_key apikey key secret password \
                     passwd pwd signature sig code session auth jwt";
        Self(names.split(' ').map(str::to_owned).collect())
    }
}

impl Redact {
    /// A path and query without secrets. Matrix parameters (`/a;token=x/b`) count as well, and so
    /// does the authority of a target in absolute form.
    #[must_use]
    pub fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        if !path.bytes().any(|byte| matches!(byte, b'=' | b'@')) {
            return Cow::Borrowed(path);
        }
        let (authority, path) = split_authority(path);
        let mut out = String::with_capacity(path.len());
        out.push_str(&authority);
        let mut in_query = false;
        for piece in path.split_inclusive(|c| {
            in_query |= c == '?';
            matches!(c, '?' | '&' | ';' | '#') || (c == '/' && !in_query)
        }) {
            let separator = piece.len() - usize::from(piece.ends_with(['?', '&', ';', '#', '/']));
            match piece.split_once('=') {
                Some((name, _)) if self.hides(name) => {
                    out.push_str(name);
                    out.push_str("=***");
                    out.push_str(&piece[separator..]);
                }
                _ => out.push_str(piece),
            }
        }
        Cow::Owned(out)
    }

    /// A host without user name and password.
    #[must_use]
    pub fn host<'a>(&self, host: &'a str) -> &'a str {
        host.rsplit_once('@').map_or(host, |(_, host)| host)
    }

    fn hides(&self, name: &str) -> bool {
        let name = decoded(name);
        name.split(['[', ']', '.', ' '])
            .any(|part| self.0.iter().any(|hidden| hidden.eq_ignore_ascii_case(part)))
    }
}

/// A path for verdicts: without its query, and without the values of its parameters (`/a;x=***/b`,
/// RFC 3986 section 3.3), whatever they are called.
#[must_use]
pub fn bare(path: &str) -> Cow<'_, str> {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if !path.contains(';') {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    for piece in path.split_inclusive([';', '/']) {
        let parameter = out.ends_with(';');
        match piece.split_once('=').filter(|_| parameter) {
            Some((name, value)) => {
                out.push_str(name);
                out.push_str("=***");
                out.extend(value.chars().next_back().filter(|end| [';', '/'].contains(end)));
            }
            None => out.push_str(piece),
        }
    }
    Cow::Owned(out)
}

/// `http://user:secret@host/path` as `http://host` and `/path`; `user:secret@host:443`, as CONNECT
/// has it, as nothing and `host:443`.
fn split_authority(target: &str) -> (Cow<'_, str>, &str) {
    let end = |text: &str| text.find(['/', '?', '#']).unwrap_or(text.len());
    let scheme = target.split_once("://").filter(|(scheme, _)| end(scheme) == scheme.len());
    let Some((scheme, rest)) = scheme else {
        let host = target[..end(target)].rfind('@').map_or(0, |at| at + 1);
        return ("".into(), &target[host..]);
    };
    let end = end(rest);
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (format!("{scheme}://{host}").into(), path)
}

/// Undoes percent-encoding (RFC 3986 section 2.1) and `+` for a space.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return text.into();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |digit: Option<&u8>| char::from(*digit?).to_digit(16);
        rest = after;
        match (byte, hex(after.first()), hex(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high << 4 | low).expect("two hexadecimal digits"));
                rest = &after[2..];
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden() {
        let redact = Redact::default();
        for (path, shown) in [
            ("/plain/path", "/plain/path"),
            ("/a?x=1&y=2", "/a?x=1&y=2"),
            ("/a?token=s3cret", "/a?token=***"),
            ("/a?x=1&ToKeN=s3cret&y=2#f", "/a?x=1&ToKeN=***&y=2#f"),
            ("/a?%74oken=s3cret&z", "/a?%74oken=***&z"),
            ("/a?user[password]=a/b=c&q=1", "/a?user[password]=***&q=1"),
            ("/a?x=1?code=s3cret", "/a?x=1?code=***"),
            ("/a;session=s3cret/b?c", "/a;session=***/b?c"),
            ("/a?x=1;pwd=s3cret;y", "/a?x=1;pwd=***;y"),
            ("/a?token", "/a?token"),
            ("/a?token=", "/a?token=***"),
            ("/a?monkey=1", "/a?monkey=1"),
            ("http://me:s3cret@host/a?key=s3cret", "http://host/a?key=***"),
            ("http://me:s3cret@host", "http://host"),
            ("/a?u=x://m@h/", "/a?u=x://m@h/"),
            ("me:s3cret@host:443", "host:443"),
            ("me:s3cret@host;key=s3cret", "host;key=***"),
        ] {
            assert_eq!(redact.path(path), shown);
        }
        assert_eq!(redact.host("me:s3cret@app.example.net:80"), "app.example.net:80");
        assert_eq!(redact.host("app.example.net"), "app.example.net");
        assert_eq!(Redact(vec![]).path("/a?token=open"), "/a?token=open");
    }

    #[test]
    fn a_bare_path_has_no_values() {
        for (path, shown) in [
            ("/a/b", "/a/b"),
            ("/a=1?token=s3cret", "/a=1"),
            ("/a;v=1;w=2=3/b;x/c;y=?z", "/a;v=***;w=***/b;x/c;y=***"),
            (";;=/;a=b", ";;=***/;a=***"),
        ] {
            assert_eq!(bare(path), shown);
        }
    }
}
