//! The request line (RFC 9112 section 3).

use std::ops::Range;

use http::uri::{Authority, PathAndQuery};
use http::{Method, Version};

use super::rule::Rule;
use crate::attribution::{Failure, Key};

/// The longest method, in bytes. The longest registered one has 17.
pub const METHOD_MAX: usize = 32;

/// How other protocols begin that clients are known to speak to the wrong port.
const OPENINGS: [(&[u8], &str); 7] = [
    (b"\x16\x03", "TLS"),
    (b"PRI * HTTP/2.0", "HTTP/2"),
    (b"SSH-", "SSH"),
    (b"PROXY ", "PROXY protocol"),
    (b"\0\r\nQUIT\n", "PROXY protocol"),
    (b"\x05\x01\0", "SOCKS"),
    (b"\x05\x02\0", "SOCKS"),
];

/// The most of a request that is kept as evidence, in bytes of its escaped form.
const KEPT: usize = 64;

/// A good request line.
#[derive(Debug)]
pub(super) struct RequestLine {
    pub(super) method: Range<usize>,
    pub(super) target: Range<usize>,
    pub(super) version: Version,
    /// Where in the target the authority stands, if it has one (absolute-form).
    pub(super) authority: Option<Range<usize>>,
    /// With its CRLF.
    pub(super) length: usize,
}

impl RequestLine {
    /// Reads a line without its CRLF; asks `check_size` whether the target may be so long.
    pub(super) fn read(
        line: &[u8],
        check_size: impl FnOnce(usize) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        if let Some(protocol) = looks_like(line) {
            return Err(foreign(line, Rule::RequestLine.at(0), protocol));
        }
        let space = check_method(line)?.ok_or_else(|| Rule::RequestLine.at(line.len()))?;
        if let Some(at) = line.iter().position(u8::is_ascii_control) {
            return Err(control(line[at]).at(at));
        }
        let rest = space + 1..line.len();
        let Some(last) = line[rest.clone()].iter().rposition(|b| *b == b' ') else {
            return Err(foreign(line, Rule::RequestLine.at(line.len()), "HTTP/0.9"));
        };
        let target = rest.start..rest.start + last;
        check_size(target.len())?;
        if let Some(at) = line[target.clone()].iter().position(|b| *b == b' ') {
            return Err(Rule::RequestLine.at(target.start + at));
        }
        let version = match &line[target.end + 1..] {
            b"HTTP/1.1" => Version::HTTP_11,
            b"HTTP/1.0" => Version::HTTP_10,
            _ => return Err(Rule::Version.at(target.end + 1)),
        };
        let method = 0..space;
        let authority = check_form(&line[target.clone()], &line[method.clone()])
            .map_err(|(rule, at)| rule.at(target.start + at))?
            .map(|range| target.start + range.start..target.start + range.end);
        Ok(Self { method, target, version, authority, length: line.len() + 2 })
    }
}

/// Looks at a request line that is not complete: whether it can still become a good one, and how
/// long its target is at most. The bytes before `seen` were looked at before.
pub(super) fn check_partial(buf: &[u8], seen: usize) -> Result<usize, Failure> {
    if let Some(protocol) = looks_like(buf) {
        return Err(foreign(buf, Rule::RequestLine.at(0), protocol));
    }
    let space = check_method(buf)?;
    // A CR at the end may yet be followed by its LF; so the last byte is looked at twice.
    let start = seen.saturating_sub(1);
    let fresh = buf[start..].strip_suffix(b"\r").unwrap_or(&buf[start..]);
    if let Some(at) = fresh.iter().position(u8::is_ascii_control) {
        return Err(control(fresh[at]).at(start + at));
    }
    Ok(space.map_or(0, |space| buf.len() - space - 1))
}

/// The place of the space after the method, if it has come.
fn check_method(buf: &[u8]) -> Result<Option<usize>, Failure> {
    let window = &buf[..buf.len().min(METHOD_MAX + 1)];
    let end = window.iter().position(|b| *b == b' ');
    let method = &window[..end.unwrap_or(window.len())];
    if end == Some(0) || method.len() > METHOD_MAX {
        return Err(first_bytes(buf, Rule::Method.at(0)));
    }
    if let Some(at) = method.iter().position(|b| Method::from_bytes(&[*b]).is_err()) {
        // A CR may be the line's end, which the caller judges.
        if end.is_none() && method[at] == b'\r' && at + 1 == method.len() {
            return Ok(None);
        }
        return Err(first_bytes(buf, Rule::Method.at(at)));
    }
    Ok(end)
}

const fn control(byte: u8) -> Rule {
    match byte {
        0 => Rule::Nul,
        b'\r' => Rule::BareCr,
        _ => Rule::Control,
    }
}

/// Checks the target's form (RFC 9112 section 3.2): the place of its authority, or the rule that
/// it breaks and where.
fn check_form(target: &[u8], method: &[u8]) -> Result<Option<Range<usize>>, (Rule, usize)> {
    // A fragment is no part of any form, and some readers cut it off where others do not.
    if let Some(at) = target.iter().position(|b| *b == b'#') {
        return Err((Rule::Target, at));
    }
    match target {
        // What CONNECT asks for is refused by its method.
        _ if method == b"CONNECT" => return Ok(None),
        b"*" if method == b"OPTIONS" => return Ok(None),
        [b'/', ..] => {
            check_path(target).map_err(|()| (Rule::Target, 0))?;
            return Ok(None);
        }
        _ => {}
    }
    let begins = |scheme: &&&[u8]| {
        target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let schemes: [&[u8]; 2] = [b"http://", b"https://"];
    let scheme = schemes.iter().find(begins).ok_or((Rule::Target, 0))?.len();
    let rest = &target[scheme..];
    let end = rest.iter().position(|b| b"/?".contains(b)).unwrap_or(rest.len());
    let authority = &rest[..end];
    if let Some(at) = authority.iter().position(|b| *b == b'@') {
        return Err((Rule::UserInfo, scheme + at));
    }
    if !is_authority(authority) {
        return Err((Rule::Target, scheme));
    }
    let path = &rest[end..];
    let good = match path {
        [] => Ok(()),
        [b'?', ..] => check_path(&[b"/", path].concat()),
        _ => check_path(path),
    };
    good.map_err(|()| (Rule::Target, scheme + end))?;
    Ok(Some(scheme..scheme + end))
}

/// Whether `http::Uri` takes this path and query.
pub(super) fn check_path(path: &[u8]) -> Result<(), ()> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@?".contains(b);
    if path.iter().all(plain) {
        return Ok(());
    }
    if std::str::from_utf8(path).is_err() {
        return Err(());
    }
    PathAndQuery::try_from(path).map(drop).map_err(drop)
}

/// Whether these bytes are a host with an optional port, and nothing else.
pub(super) fn is_authority(bytes: &[u8]) -> bool {
    let named = bytes.iter().position(|b| *b == b':').unwrap_or(bytes.len());
    let (host, port) = bytes.split_at(named);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._".contains(b);
    if !host.is_empty() && host.iter().all(plain) {
        return port.iter().skip(1).all(u8::is_ascii_digit);
    }
    !bytes.contains(&b'@') && Authority::try_from(bytes).is_ok_and(|a| !a.host().is_empty())
}

/// The protocol that these bytes are the beginning of.
fn looks_like(buf: &[u8]) -> Option<&'static str> {
    // All of that protocol's signature that is left as a line, without the empty ones before it.
    let buf = if buf == b"\0" { b"\0\r\nQUIT\n" } else { buf };
    OPENINGS.iter().find(|(opening, _)| buf.starts_with(opening)).map(|(_, protocol)| *protocol)
}

fn foreign(buf: &[u8], failure: Failure, protocol: &'static str) -> Failure {
    first_bytes(buf, failure).with(Key::LooksLike, protocol)
}

/// Notes how the request begins, up to what could be a target's query, a parameter in its path, or
/// its authority with a password: those have no business in a record.
fn first_bytes(buf: &[u8], failure: Failure) -> Failure {
    let start = &buf[..buf.len().min(KEPT)];
    let end = start.iter().position(|b| b"?;\r\n".contains(b)).unwrap_or(start.len());
    let end = start[..end].windows(3).position(|three| three == b"://").unwrap_or(end);
    let mut escaped = start[..end].escape_ascii().to_string();
    escaped.truncate(KEPT);
    failure.with(Key::FirstBytes, escaped)
}
