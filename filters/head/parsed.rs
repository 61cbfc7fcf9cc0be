//! A request that did not come as the bytes of HTTP/1: the same rules, over its parts.

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, Method};

use super::line::{check_path, is_authority};
use super::{HeadLimits, Rule, SECTION_MAX, check_count, check_target};
use crate::attribution::cause::client;
use crate::attribution::{Failure, Key};

/// The parts of a request as HTTP/2 delivers them (RFC 9113 section 8.3.1).
#[derive(Clone, Copy, Debug)]
pub struct Parsed<'a> {
    /// `:method`.
    pub method: &'a Method,
    /// `:path`; empty for CONNECT, which has none.
    pub target: &'a [u8],
    /// `:authority`, if there is one.
    pub authority: Option<&'a [u8]>,
    /// The fields.
    pub headers: &'a HeaderMap,
}

/// The empty line that ends a header section.
const END: usize = 2;

impl Parsed<'_> {
    /// Bytes of the header section as it would be written in HTTP/1.1: the field lines, and the
    /// empty line after them.
    #[must_use]
    pub fn section(&self) -> usize {
        self.headers
            .iter()
            .map(|(name, value)| line(name.as_str(), value.as_bytes()))
            .sum::<usize>()
            + END
    }

    /// Bytes of the whole head as it would be written in HTTP/1.1.
    #[must_use]
    pub fn length(&self) -> usize {
        self.method.as_str().len() + self.target.len() + "  HTTP/1.1\r\n".len() + self.section()
    }

    /// Holds the request to the limits and to the rules that HTTP/1 has as well.
    ///
    /// # Errors
    /// The refusal of a request that is too large, or that two readers could understand
    /// differently. An offset in its evidence is that within the part that it names.
    pub fn inspect(&self, limits: &HeadLimits) -> Result<(), Failure> {
        check_target(self.target.len(), limits)?;
        self.check_section(limits)?;
        check_count(self.headers.len(), limits)?;
        if *self.method == Method::CONNECT || *self.method == Method::TRACE {
            return Err(Failure::denied(&client::CLIENT_METHOD_REFUSED)
                .with(Key::Method, self.method.as_str().to_owned()));
        }
        self.check_form()?;
        self.check_host()?;
        self.check_length().map_err(Rule::broken)
    }

    fn check_section(&self, limits: &HeadLimits) -> Result<(), Failure> {
        let (size, limit) = (self.section(), limits.section.min(SECTION_MAX));
        if size <= limit {
            return Ok(());
        }
        let size_of = |(name, value): &(&http::HeaderName, &http::HeaderValue)| {
            line(name.as_str(), value.as_bytes())
        };
        let largest = self.headers.iter().max_by_key(size_of);
        let name = largest.map_or("", |(name, _)| name.as_str());
        Err(Failure::denied(&client::CLIENT_HEADER_TOO_LARGE)
            .with(Key::Size, size)
            .with(Key::Limit, limit)
            .with(Key::Setting, "limits.request_header")
            .with(Key::Field, name.chars().take(64).collect::<String>()))
    }

    /// `:path` is a path with an optional query, or `*` for OPTIONS.
    fn check_form(&self) -> Result<(), Failure> {
        let target = self.target;
        let good = match target {
            b"*" => *self.method == Method::OPTIONS,
            [b'/', ..] => !target.contains(&b'#') && check_path(target).is_ok(),
            _ => false,
        };
        if good {
            return Ok(());
        }
        let odd = |byte: &u8| *byte == b'#' || !byte.is_ascii_graphic();
        Err(within(":path", Rule::Target, target.iter().position(odd).unwrap_or(0)))
    }

    /// Who is asked is said once, or twice in the same way.
    fn check_host(&self) -> Result<(), Failure> {
        let mut hosts = self.headers.get_all(HOST).iter().map(http::HeaderValue::as_bytes);
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(Rule::TwoHosts.broken());
        }
        let asked = self.authority.or(host).ok_or_else(|| Rule::NoHost.broken())?;
        if host.is_some_and(|host| host != asked) {
            return Err(Rule::HostDiffers.broken());
        }
        let part = if self.authority.is_some() { ":authority" } else { "host" };
        if let Some(at) = asked.iter().position(|byte| *byte == b'@') {
            return Err(within(part, Rule::UserInfo, at));
        }
        if !asked.is_empty() && !is_authority(asked) {
            return Err(within(part, Rule::Host, 0));
        }
        Ok(())
    }

    /// A list of equal numbers stands for the one (RFC 9110 section 8.6).
    fn check_length(&self) -> Result<(), Rule> {
        let mut stated = None;
        let values = self.headers.get_all(CONTENT_LENGTH).iter();
        for part in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
            let digits = std::str::from_utf8(part.trim_ascii()).map_err(|_| Rule::LengthInvalid)?;
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Rule::LengthInvalid);
            }
            let length: u64 = digits.parse().map_err(|_| Rule::LengthInvalid)?;
            if stated.replace(length).is_some_and(|before| before != length) {
                return Err(Rule::LengthsDiffer);
            }
        }
        Ok(())
    }
}

/// The refusal of a request of which this part breaks a rule, so many bytes in.
fn within(part: &'static str, rule: Rule, at: usize) -> Failure {
    rule.at(at).with(Key::Part, part)
}

fn line(name: &str, value: &[u8]) -> usize {
    name.len() + value.len() + ": \r\n".len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Fault;

    fn judged(
        method: &str,
        target: &str,
        authority: Option<&str>,
        fields: &[(&'static str, &str)],
    ) -> Option<Failure> {
        let method = method.parse().expect("a method");
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().expect("a value"));
        }
        let authority = authority.map(str::as_bytes);
        let parsed =
            Parsed { method: &method, target: target.as_bytes(), authority, headers: &headers };
        parsed.inspect(&HeadLimits { section: 200, fields: 4, target: 20 }).err()
    }

    #[test]
    fn the_rules_of_http1_hold() {
        let rule = |failure: Option<Failure>| {
            failure.and_then(|f| f.evidence.text(Key::Rule).map(str::to_owned))
        };
        let a = Some("a.test");
        let host: (&str, &str) = ("host", "a.test");
        for (target, authority, fields, wanted) in [
            ("/", a, &[][..], None),
            ("/", None, &[host], None),
            ("/", a, &[host], None),
            ("/", a, &[("content-length", "3, 3")], None),
            ("/", None, &[], Some(Rule::NoHost)),
            ("/", None, &[host, host], Some(Rule::TwoHosts)),
            ("/", a, &[("host", "b.test")], Some(Rule::HostDiffers)),
            ("/", Some("u@a.test"), &[], Some(Rule::UserInfo)),
            ("/", Some("a.test/x"), &[], Some(Rule::Host)),
            ("*", a, &[], Some(Rule::Target)),
            ("http://a/", a, &[], Some(Rule::Target)),
            ("/\r\nx: y", a, &[], Some(Rule::Target)),
            ("/ HTTP/1.1", a, &[], Some(Rule::Target)),
            ("/#x", a, &[], Some(Rule::Target)),
            ("/", a, &[("content-length", "3, 4")], Some(Rule::LengthsDiffer)),
            ("/", a, &[("content-length", "+3")], Some(Rule::LengthInvalid)),
            ("/", a, &[("content-length", "")], Some(Rule::LengthInvalid)),
        ] {
            let found = rule(judged("GET", target, authority, fields));
            assert_eq!(found.as_deref(), wanted.map(Rule::as_str), "{target} {fields:?}");
        }
        assert_eq!(rule(judged("OPTIONS", "*", a, &[])), None);
    }

    #[test]
    fn what_is_too_large_is_refused_by_its_own_limit() {
        let long = "x".repeat(200);
        let many = [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")];
        for (method, target, fields, cause, setting) in [
            ("GET", long.as_str(), &[][..], &client::CLIENT_URI_TOO_LONG, "limits.request_uri"),
            (
                "GET",
                "/",
                &[("x-large", long.as_str())],
                &client::CLIENT_HEADER_TOO_LARGE,
                "limits.request_header",
            ),
            ("GET", "/", &many, &client::CLIENT_HEADER_TOO_LARGE, "limits.request_headers"),
            ("CONNECT", "", &[], &client::CLIENT_METHOD_REFUSED, ""),
        ] {
            let failure = judged(method, target, Some("a.test"), fields).expect("it is refused");
            assert_eq!(failure.fault, Fault::Denied(cause), "{fields:?}");
            assert_eq!(failure.evidence.text(Key::Setting).unwrap_or(""), setting);
        }
    }
}
